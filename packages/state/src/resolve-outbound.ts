import {
  formatSocketAddress,
  type Ip,
  ipFamily,
  PORTS,
  type SocketAddress,
  type SpiffeId,
  sameSpiffeId,
} from '@ambit/core'
import type { Direct, NeedsHostname, Passthrough, Refused, Resolution, ResolveRequest } from './resolution.types.ts'
import { findGateway, resolveWaypoint, sampleWaypoint } from './resolve-waypoint.ts'
import { offersFamily, selectAddress } from './select-address.ts'
import { type SelectedEndpoint, selectEndpoint, servicePortChoice } from './select-endpoint.ts'
import type { GatewayAddress, Service, Workload } from './workload.types.ts'
import type { WorkloadLookup } from './workload-store.ts'

/**
 * Which backend a captured connection means (Istio ambient). Two lookups differ in order on purpose: whether a service's
 * waypoint applies asks workload before service, which upstream is meant asks service before workload.
 */
export function resolveOutbound(lookup: WorkloadLookup, request: ResolveRequest): Resolution {
  const { source, target, network, random } = request

  if (lookup.workloadByIp(network, target.ip) === undefined) {
    const addressed = lookup.serviceByVip(network, target.ip, source.namespace)
    const waypoint = addressed && sampleWaypoint(addressed, random)
    if (waypoint !== undefined) return viaWaypoint(lookup, request, waypoint, addressed, undefined)
  }

  const service = lookup.serviceByVip(source.network, target.ip, source.namespace)
  if (service !== undefined) return toService(lookup, request, service)

  const workload = lookup.workloadByIp(source.network, target.ip)
  if (workload === undefined) return { kind: 'passthrough', to: target }
  // A workload's waypoint serves traffic to its own address, except the waypoint's.
  if (workload.waypoint !== undefined && !isFromWaypoint(lookup, request, workload.waypoint)) {
    return viaWaypoint(lookup, request, workload.waypoint, undefined, workload)
  }
  return resolveWorkload({ workload, port: target.port, asked: target.ip, source })
}

function toService(lookup: WorkloadLookup, request: ResolveRequest, service: Service): Resolution {
  const { source, target, random } = request
  if (service.loadBalancing.mode === 'Passthrough') return { kind: 'passthrough', to: target, service }
  // A known service never falls back to passthrough: that would leave the mesh unnoticed.
  const selected = service.ports.has(target.port)
    ? selectEndpoint(lookup, {
        source,
        service,
        servicePort: target.port,
        random,
        portOf: servicePortChoice(service, target.port),
      })
    : undefined
  if (selected === undefined) {
    return {
      kind: 'refused',
      reason: 'no-healthy-upstream',
      message: `no healthy upstream: ${formatSocketAddress(target)}`,
      service,
    }
  }
  return resolveWorkload({ ...selected, asked: target.ip, source, service })
}

function viaWaypoint(
  lookup: WorkloadLookup,
  { source, target, random }: ResolveRequest,
  gateway: GatewayAddress,
  service: Service | undefined,
  workload: Workload | undefined,
): Exclude<Resolution, Passthrough> {
  const choice = resolveWaypoint(lookup, gateway, { source, target: target.ip, random })
  const addressed = { service, target: workload }
  switch (choice.kind) {
    case 'refused':
      return { ...choice, service, workload }
    case 'found': {
      const { to, expected } = choice
      return { kind: 'waypoint', to, authority: target, workload: choice.workload, expected, ...addressed }
    }
    case 'resolve-hostname': {
      const { port, expected, preferred } = choice
      return {
        kind: 'resolve-hostname',
        hostname: choice.workload.hostname,
        workload: choice.workload,
        preferred,
        pending: { kind: 'waypoint', port, authority: target, expected, ...addressed },
      }
    }
  }
}

/**
 * What an ingress gateway does with a service whose waypoint serves ingress too: the service's own address stands in the CONNECT. Undefined
 * where the service has no address or no waypoint, and its endpoints are meant. A waypoint that can't be reached is never gone round.
 */
export function resolveIngress(
  lookup: WorkloadLookup,
  service: Service,
  { source, port, random }: { readonly source: Workload; readonly port: number; readonly random: () => number },
): Exclude<Resolution, Passthrough> | undefined {
  const vip = service.vips.find(({ network }) => network === source.network)
  const waypoint = service.ingressUseWaypoint && vip !== undefined ? sampleWaypoint(service, random) : undefined
  if (vip === undefined || waypoint === undefined) return undefined
  const target = { ip: vip.ip, port }
  return viaWaypoint(lookup, { source, target, network: source.network, random }, waypoint, service, undefined)
}

/** The source is the waypoint when it has the identity of a workload behind the reference and dials from its address. */
function isFromWaypoint(
  lookup: WorkloadLookup,
  { source, sourceIp }: ResolveRequest,
  gateway: GatewayAddress,
): boolean {
  const referent = findGateway(lookup, gateway, source.namespace)
  if (referent === undefined) return false
  const behind =
    referent.kind === 'workload'
      ? [referent.workload]
      : lookup.usableEndpoints(referent.service).map(({ workloadUid }) => lookup.workload(workloadUid))
  const from = sourceIp === undefined ? source.ips : [sourceIp]
  return behind.some(
    (workload) =>
      workload !== undefined &&
      sameSpiffeId(workload.identity, source.identity) &&
      from.some((ip) => workload.ips.includes(ip)),
  )
}

export interface WorkloadTarget extends SelectedEndpoint {
  /** The address the client asked for, or the family it would like. */
  readonly asked: Ip | 4 | 6
  readonly source: Workload
  /** The service it was chosen for. */
  readonly service?: Service | undefined
}

/** How to reach a port of a workload that has been chosen. */
export function resolveWorkload({
  workload,
  port,
  asked,
  source,
  service,
}: WorkloadTarget): Direct | NeedsHostname | Refused {
  if (workload.network !== source.network) {
    return {
      kind: 'refused',
      reason: 'cross-network-unsupported',
      message: `workload ${workload.uid} is in network "${workload.network}", not in "${source.network}": traffic between networks is not supported`,
      service,
      workload,
    }
  }
  const expected = [workload.identity, ...(service?.identities ?? [])]
  const ip = selectAddress(workload, asked, service)
  if (ip !== undefined) return dialled(workload, { ip, port }, service, expected)
  if (workload.ips.length > 0 || workload.hostname === '') return noRoute(workload, service)
  return {
    kind: 'resolve-hostname',
    hostname: workload.hostname,
    workload,
    preferred: typeof asked === 'number' ? asked : ipFamily(asked),
    pending: { kind: 'direct', port, service, expected },
  }
}

function dialled(
  workload: Workload,
  target: SocketAddress,
  service: Service | undefined,
  expected: readonly SpiffeId[],
): Direct {
  const { protocol } = workload
  if (protocol === 'TCP') return { kind: 'direct', protocol, to: target, workload, service, expected }
  const to = { ip: target.ip, port: PORTS.hbone }
  return { kind: 'direct', protocol, to, workload, service, authority: target, expected }
}

function noRoute(workload: Workload, service: Service | undefined): Refused {
  const message = `no valid routing destination for workload: ${workload.uid}`
  return { kind: 'refused', reason: 'no-route', message, service, workload }
}

/** Completes a resolution with the addresses its hostname stands for: one of the preferred family, else any, at random. */
export function withResolvedAddress(needs: NeedsHostname, ips: readonly Ip[], random: () => number): Resolution {
  const { workload, pending } = needs
  const offered = ips.filter((ip) => offersFamily(pending.service, ipFamily(ip)))
  const same = offered.filter((ip) => ipFamily(ip) === needs.preferred)
  const among = same.length > 0 ? same : offered
  const ip = among[Math.floor(random() * among.length)]
  if (ip === undefined) {
    const message = `hostname ${needs.hostname} of workload ${workload.uid} has no usable address; check the DNS server of this proxy`
    return { kind: 'refused', reason: 'unresolved-hostname', message, service: pending.service, workload }
  }
  const to = { ip, port: pending.port }
  if (pending.kind === 'direct') return dialled(workload, to, pending.service, pending.expected)
  const { authority, expected, service, target } = pending
  return { kind: 'waypoint', to, authority, workload, expected, service, target }
}
