import { workloadpb as pb } from '@ambit/api'
import {
  type Cidr,
  DEFAULT_TRUST_DOMAIN,
  type Ip,
  ipFamily,
  ipFromBytes,
  parseSpiffeId,
  type SpiffeId,
} from '@ambit/core'
import { fromBinary } from '@bufbuild/protobuf'
import { enumWord } from './decode-enum.ts'
import { type Decoded, decoding, reject } from './rejection.ts'
import { SharedParts } from './shared-parts.ts'
import type {
  ApplicationTunnel,
  CidrVip,
  GatewayAddress,
  LoadBalancing,
  RoutingScope,
  Service,
  Vip,
  WeightedWaypoint,
  Workload,
} from './workload.types.ts'

export type Address =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'service'; readonly service: Service }

const DEFAULT_SERVICE_ACCOUNT = 'default'
const DEFAULT_CLUSTER_ID = 'Kubernetes'

const PROTOCOLS = { 0: 'TCP', 1: 'HBONE' } as const
const WORKLOAD_TYPES = { 0: 'deployment', 1: 'cronjob', 2: 'pod', 3: 'job' } as const
const STATUSES = { 0: 'Healthy', 1: 'Unhealthy' } as const
const NETWORK_MODES = { 0: 'Standard', 1: 'HostNetwork' } as const
const TUNNEL_PROTOCOLS = { 0: 'NONE', 1: 'PROXY' } as const
const MODES = { 0: 'Standard', 1: 'Strict', 2: 'Failover', 3: 'Passthrough' } as const
const HEALTH_POLICIES = { 0: 'OnlyHealthy', 1: 'AllowAll' } as const
const IP_FAMILIES = { 0: 'automatic', 1: 'IPv4', 2: 'IPv6', 3: 'Dual' } as const
const SCOPES: Readonly<Record<number, RoutingScope>> = {
  1: 'Region',
  2: 'Zone',
  3: 'Subzone',
  4: 'Node',
  5: 'Cluster',
  6: 'Network',
}
const LEGACY_ISTIO_MTLS = 2

/** Of all stores of the process: only what can be made again from a resource is in it. */
const shared = new SharedParts()

/**
 * Reads an `istio.workload.Address` resource into a workload or a service, whole or not at all. Parts that are equal in many are one value.
 * Whoever holds the name of the resource gives it, as a workload's is its uid and need not be held twice.
 */
export function decodeAddress(bytes: Uint8Array, name?: string): Decoded<Address> {
  return decoding(() => {
    const { type } = fromBinary(pb.AddressSchema, bytes)
    if (type.case === 'workload') return { kind: 'workload', workload: workloadOf(type.value, name) }
    if (type.case === 'service') return { kind: 'service', service: serviceOf(type.value) }
    return reject('empty', 'neither a workload nor a service')
  })
}

function workloadOf(message: pb.Workload, name: string | undefined): Workload {
  if (message.tunnelProtocol === LEGACY_ISTIO_MTLS) reject('unsupported', 'tunnel_protocol: LEGACY_ISTIO_MTLS')
  if (message.uid === '') reject('empty', 'uid: required')
  const identity = shared.identity({
    trustDomain: shared.text(message.trustDomain || DEFAULT_TRUST_DOMAIN),
    namespace: shared.text(message.namespace),
    serviceAccount: shared.text(message.serviceAccount || DEFAULT_SERVICE_ACCOUNT),
  })
  return {
    uid: message.uid === name ? name : message.uid,
    name: message.name,
    namespace: identity.namespace,
    network: shared.text(message.network),
    ips: message.addresses.map((bytes, index) => ipOf(`addresses[${index}]`, bytes)),
    hostname: message.hostname,
    protocol: enumWord('tunnel_protocol', message.tunnelProtocol, PROTOCOLS),
    trustDomain: identity.trustDomain,
    serviceAccount: identity.serviceAccount,
    identity,
    node: shared.text(message.node),
    workloadName: shared.text(message.workloadName),
    workloadType: enumWord('workload_type', message.workloadType, WORKLOAD_TYPES),
    canonicalName: shared.text(message.canonicalName),
    canonicalRevision: shared.text(message.canonicalRevision),
    nativeTunnel: message.nativeTunnel,
    applicationTunnel: message.applicationTunnel && applicationTunnelOf(message.applicationTunnel),
    waypoint: message.waypoint && gatewayOf('waypoint', message.waypoint),
    networkGateway: message.networkGateway && gatewayOf('network_gateway', message.networkGateway),
    networkMode: enumWord('network_mode', message.networkMode, NETWORK_MODES),
    services: shared.services(Object.entries(message.services).map(([key, list]) => [key, portPairs(list.ports)])),
    authorizationPolicies: shared.list(message.authorizationPolicies),
    status: enumWord('status', message.status, STATUSES),
    clusterId: shared.text(message.clusterId || DEFAULT_CLUSTER_ID),
    locality: shared.locality({
      region: message.locality?.region ?? '',
      zone: message.locality?.zone ?? '',
      subzone: message.locality?.subzone ?? '',
    }),
    // A wrapper message: absent means 1, present 0 means never.
    capacity: message.capacity ?? 1,
  }
}

function serviceOf(message: pb.Service): Service {
  if (message.hostname === '') reject('empty', 'hostname: required')
  const vips: Vip[] = []
  const cidrVips: CidrVip[] = []
  for (const [index, { network, address, length }] of message.addresses.entries()) {
    const field = `addresses[${index}]`
    const ip = ipOf(field, address)
    const cidr = cidrOf(field, ip, address.length, length)
    // A full-length prefix is an ordinary VIP.
    if (cidr.length === widthOf(ip)) vips.push({ network, ip })
    else cidrVips.push({ network, cidr })
  }
  const families = enumWord('ip_families', message.ipFamilies, IP_FAMILIES)
  return {
    name: message.name,
    namespace: shared.text(message.namespace),
    hostname: message.hostname,
    vips,
    cidrVips,
    ports: shared.ports(portPairs(message.ports)),
    subjectAltNames: message.subjectAltNames,
    identities: message.subjectAltNames.map(parseSpiffeId).filter((id): id is SpiffeId => id !== undefined),
    waypoint: message.waypoint && gatewayOf('waypoint', message.waypoint),
    weightedWaypoints: message.weightedWaypoints.map(weightedWaypointOf),
    ingressUseWaypoint: message.ingressUseWaypoint,
    loadBalancing: loadBalancingOf(message.loadBalancing),
    ipFamilies: families === 'automatic' ? undefined : families,
    canonical: message.canonical,
    // The one enum whose unknown numbers are tolerated (Istio reads them as PUBLIC).
    visibility: message.visibility === 1 ? 'Namespace' : 'Public',
  }
}

function ipOf(field: string, bytes: Uint8Array): Ip {
  return ipFromBytes(bytes) ?? reject('bad-address', `${field}: ${bytes.length} bytes, want 4 or 16`)
}

function widthOf(ip: Ip): number {
  return ipFamily(ip) === 4 ? 32 : 128
}

/** The prefix counts bits of the bytes as sent; an IPv4-mapped network is shortened along with its address. */
function cidrOf(field: string, ip: Ip, bytes: number, length: number | undefined): Cidr {
  const sent = bytes * 8
  if (length === undefined) return { ip, length: widthOf(ip) }
  if (length > sent) reject('bad-cidr', `${field}: length ${length} is above ${sent}`)
  const own = length - (sent - widthOf(ip))
  if (own < 0) reject('bad-cidr', `${field}: IPv4-mapped network shorter than its prefix`)
  return { ip, length: own }
}

// 16 bits count, as upstream reads them.
function portPairs(ports: readonly pb.Port[]): readonly (readonly [number, number])[] {
  return ports.map(({ servicePort, targetPort }) => [servicePort & 0xffff, targetPort & 0xffff])
}

function gatewayOf(field: string, message: pb.GatewayAddress): GatewayAddress {
  return shared.gateway(readGateway(field, message))
}

function readGateway(field: string, { destination, hboneMtlsPort }: pb.GatewayAddress): GatewayAddress {
  const port = hboneMtlsPort & 0xffff
  switch (destination.case) {
    case 'address':
      return {
        destination: {
          kind: 'address',
          network: destination.value.network,
          ip: ipOf(`${field}.address`, destination.value.address),
        },
        hboneMtlsPort: port,
      }
    case 'hostname':
      return {
        destination: {
          kind: 'hostname',
          namespace: destination.value.namespace,
          hostname: destination.value.hostname,
        },
        hboneMtlsPort: port,
      }
    default:
      return reject('empty', `${field}: no destination`)
  }
}

function weightedWaypointOf({ destination, weight }: pb.WeightedWaypoint, index: number): WeightedWaypoint {
  const field = `weighted_waypoints[${index}]`
  if (destination === undefined) reject('empty', `${field}: no destination`)
  return { destination: gatewayOf(field, destination), weight }
}

function applicationTunnelOf({ protocol, port }: pb.ApplicationTunnel): ApplicationTunnel {
  return {
    protocol: enumWord('application_tunnel.protocol', protocol, TUNNEL_PROTOCOLS),
    port: port === 0 ? undefined : port & 0xffff,
  }
}

function loadBalancingOf(message: pb.LoadBalancing | undefined): LoadBalancing {
  return {
    mode: enumWord('load_balancing.mode', message?.mode ?? 0, MODES),
    routingPreferences: (message?.routingPreference ?? []).map((scope) =>
      enumWord('load_balancing.routing_preference', scope, SCOPES),
    ),
    healthPolicy: enumWord('load_balancing.health_policy', message?.healthPolicy ?? 0, HEALTH_POLICIES),
  }
}
