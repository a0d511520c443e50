import type { Cidr, Ip, SpiffeId } from '@ambit/core'

/** `namespace/hostname`: how services are named on the wire, in workloads and in dumps. */
export type ServiceKey = string

/** How to reach a waypoint or a network gateway. */
export interface GatewayAddress {
  readonly destination: GatewayDestination
  readonly hboneMtlsPort: number
}

export type GatewayDestination =
  | { readonly kind: 'address'; readonly network: string; readonly ip: Ip }
  | { readonly kind: 'hostname'; readonly namespace: string; readonly hostname: string }

export interface WeightedWaypoint {
  readonly destination: GatewayAddress
  readonly weight: number
}

export interface Locality {
  readonly region: string
  readonly zone: string
  readonly subzone: string
}

export interface ApplicationTunnel {
  readonly protocol: 'NONE' | 'PROXY'
  /** Port to use instead of the requested one; undefined keeps the requested one. */
  readonly port: number | undefined
}

/** service port → target port; a target of 0 on a service means a named port, known only per workload. */
export type PortMap = ReadonlyMap<number, number>

export interface Workload {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly network: string
  readonly ips: readonly Ip[]
  /** DNS name to resolve when there is no address; empty otherwise. */
  readonly hostname: string
  readonly protocol: 'HBONE' | 'TCP'
  readonly trustDomain: string
  readonly serviceAccount: string
  /** The three parts above as one value: what a peer must prove to be this workload. */
  readonly identity: SpiffeId
  readonly node: string
  readonly workloadName: string
  readonly workloadType: 'deployment' | 'cronjob' | 'pod' | 'job'
  readonly canonicalName: string
  readonly canonicalRevision: string
  readonly nativeTunnel: boolean
  readonly applicationTunnel: ApplicationTunnel | undefined
  readonly waypoint: GatewayAddress | undefined
  readonly networkGateway: GatewayAddress | undefined
  readonly networkMode: 'Standard' | 'HostNetwork'
  readonly services: ReadonlyMap<ServiceKey, PortMap>
  /** Names of the workload-scoped policies in force here, `namespace/name`. */
  readonly authorizationPolicies: readonly string[]
  readonly status: 'Healthy' | 'Unhealthy'
  readonly clusterId: string
  readonly locality: Locality
  /** Load-balancing weight; 0 is never chosen. */
  readonly capacity: number
}

export type RoutingScope = 'Network' | 'Region' | 'Zone' | 'Subzone' | 'Node' | 'Cluster'

export interface LoadBalancing {
  readonly mode: 'Standard' | 'Strict' | 'Failover' | 'Passthrough'
  readonly routingPreferences: readonly RoutingScope[]
  readonly healthPolicy: 'OnlyHealthy' | 'AllowAll'
}

export interface Vip {
  readonly network: string
  readonly ip: Ip
}

export interface CidrVip {
  readonly network: string
  readonly cidr: Cidr
}

export interface Service {
  readonly name: string
  readonly namespace: string
  readonly hostname: string
  readonly vips: readonly Vip[]
  readonly cidrVips: readonly CidrVip[]
  readonly ports: PortMap
  readonly subjectAltNames: readonly string[]
  /** Those of the names above that are identities; the rest can never match a peer. */
  readonly identities: readonly SpiffeId[]
  readonly waypoint: GatewayAddress | undefined
  readonly weightedWaypoints: readonly WeightedWaypoint[]
  /** Ingress gateways go by the waypoint as well; without it they go to the endpoints. */
  readonly ingressUseWaypoint: boolean
  readonly loadBalancing: LoadBalancing
  /** Families clients should use; undefined leaves it to the addresses. */
  readonly ipFamilies: 'Dual' | 'IPv4' | 'IPv6' | undefined
  /** A Kubernetes Service rather than a ServiceEntry: wins ties. */
  readonly canonical: boolean
  /** `Namespace` hides the service from clients of other namespaces. */
  readonly visibility: 'Public' | 'Namespace'
}

/** A workload's claim to serve a service. */
export interface Endpoint {
  readonly workloadUid: string
  readonly ports: PortMap
  readonly status: Workload['status']
}

export function serviceKey(service: Pick<Service, 'namespace' | 'hostname'>): ServiceKey {
  return `${service.namespace}/${service.hostname}`
}
