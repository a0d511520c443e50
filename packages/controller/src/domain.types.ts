import type { Ip } from '@ambit/core'
import type { StringMap } from './watch/json.ts'
import type { LabelSelector } from './watch/label-selector.ts'

export interface Named {
  readonly namespace: string
  readonly name: string
}

/** Common to everything read from the API server, once decoded. */
export interface Meta extends Named {
  readonly labels: StringMap
  readonly annotations: StringMap
  readonly createdMs: number
  readonly generation: number
}

export interface ContainerPort {
  readonly name: string
  readonly port: number
  readonly protocol: string
}

export interface Pod extends Meta {
  readonly uid: string
  readonly ips: readonly Ip[]
  /** Has an address and has not ended. */
  readonly running: boolean
  readonly failed: boolean
  readonly ready: boolean
  readonly hostNetwork: boolean
  readonly node: string
  readonly serviceAccount: string
  readonly workloadName: string
  /** Runs `proxy router`: what a Gateway can be served by. */
  readonly isRouter: boolean
  readonly ports: readonly ContainerPort[]
}

export interface ServicePort {
  readonly name: string
  readonly port: number
  readonly protocol: string
  readonly appProtocol: string | undefined
  /** Number, or the name of a container port. */
  readonly target: number | string
}

export interface KubeService extends Meta {
  readonly hostname: string
  readonly clusterIps: readonly Ip[]
  readonly ipFamilies: readonly string[]
  /** Empty: selects nothing. */
  readonly selector: StringMap
  readonly ports: readonly ServicePort[]
  readonly externalName: boolean
  readonly internalTrafficLocal: boolean
  readonly trafficDistribution: string | undefined
  readonly publishNotReady: boolean
}

export interface SliceEndpoint {
  readonly ips: readonly Ip[]
  readonly ready: boolean
  /** Undefined: no pod. Empty: one of another namespace, which can not serve here. */
  readonly podName: string | undefined
  /** Undefined: whichever pod has the name. */
  readonly podUid: string | undefined
}

export interface EndpointSlice extends Meta {
  readonly serviceName: string
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[]
  readonly endpoints: readonly SliceEndpoint[]
}

/** An address of the mesh outside Kubernetes: WorkloadEntry, or endpoint written inside a ServiceEntry. */
export interface WorkloadSpec {
  readonly ip: Ip | undefined
  readonly hostname: string | undefined
  readonly address: string
  readonly labels: StringMap
  readonly ports: Readonly<Record<string, number>>
  readonly network: string
  readonly locality: string
  readonly weight: number | undefined
  readonly serviceAccount: string
}

export interface WorkloadEntry extends Meta {
  readonly workload: WorkloadSpec
}

export interface ServiceEntryPort {
  readonly name: string
  readonly port: number
  readonly protocol: string
  readonly target: number | undefined
}

export type Resolution = 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS'

export interface VirtualAddress {
  readonly ip: Ip
  /** Below the family's maximum for a network. */
  readonly length: number
}

export interface ServiceEntry extends Meta {
  readonly hosts: readonly string[]
  readonly addresses: readonly VirtualAddress[]
  /** From status: which host got which address. */
  readonly allocated: readonly { readonly host: string; readonly ip: Ip }[]
  readonly ports: readonly ServiceEntryPort[]
  readonly resolution: Resolution
  readonly endpoints: readonly WorkloadSpec[]
  /** Undefined: none written. Empty: matches nothing. */
  readonly workloadSelector: StringMap | undefined
  readonly subjectAltNames: readonly string[]
}

export interface Namespace {
  readonly name: string
  readonly labels: StringMap
  readonly annotations: StringMap
}

export interface Locality {
  readonly region: string
  readonly zone: string
  readonly subzone: string
}

export interface Node {
  readonly name: string
  readonly locality: Locality
}

export interface GatewayListener {
  readonly name: string
  readonly protocol: string
  readonly port: number
  readonly allowedFrom: 'Same' | 'All' | 'Selector'
  /** Undefined: none that is understood, which lets nobody in. */
  readonly allowedSelector: LabelSelector | undefined
  /** Empty: whatever the protocol carries. */
  readonly allowedKinds: readonly { readonly group: string; readonly kind: string }[]
  /** Lower case; empty: every host. */
  readonly hostname: string
  readonly tls: ListenerTls | undefined
}

export interface ListenerTls {
  readonly mode: string
  readonly certificates: readonly ObjectRef[]
  readonly options: StringMap
}

export interface ObjectRef extends Named {
  readonly group: string
  readonly kind: string
}

export interface Gateway extends Meta {
  readonly className: string
  readonly listeners: readonly GatewayListener[]
  /** From its spec: names of Services that serve it; empty: one is deployed for it. */
  readonly servedBy: readonly string[]
  readonly addresses: readonly { readonly type: string | undefined; readonly value: string }[]
}

export interface GatewayClass {
  readonly name: string
  readonly controllerName: string
  readonly labels: StringMap
  readonly annotations: StringMap
}

export type MtlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT'

export interface PeerAuthentication extends Meta {
  /** Undefined: for the whole namespace or mesh. */
  readonly selector: StringMap | undefined
  readonly mode: MtlsMode
  readonly portModes: ReadonlyMap<number, MtlsMode>
}

export interface PolicySource {
  readonly principals: readonly string[]
  readonly notPrincipals: readonly string[]
  readonly namespaces: readonly string[]
  readonly notNamespaces: readonly string[]
  readonly serviceAccounts: readonly string[]
  readonly notServiceAccounts: readonly string[]
  readonly ipBlocks: readonly string[]
  readonly notIpBlocks: readonly string[]
}

export interface PolicyOperation {
  readonly ports: readonly string[]
  readonly notPorts: readonly string[]
}

export interface PolicyCondition {
  readonly key: string
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

/** One entry of `from`, `to` or `when`: what a proxy without HTTP can check, and what of it is beyond that. */
export interface PolicyEntry<T> {
  readonly value: T
  /** Attributes only an HTTP proxy can check. */
  readonly http: readonly string[]
  /** Paths of what nobody here understands. */
  readonly unknown: readonly string[]
}

export interface PolicyRule {
  readonly from: readonly PolicyEntry<PolicySource>[]
  readonly to: readonly PolicyEntry<PolicyOperation>[]
  readonly when: readonly PolicyEntry<PolicyCondition>[]
  readonly unknown: readonly string[]
}

export interface TargetRef {
  readonly group: string
  readonly kind: string
  readonly name: string
  readonly namespace: string | undefined
  /** By the label selector of Istio 1.18: means only a waypoint of that form. */
  readonly bySelector?: boolean
}

/** A rule as written, for proxies that see requests; keys of `from` and `to` are the API's field names. */
export interface RequestRule {
  readonly from: readonly Readonly<Record<string, readonly string[]>>[]
  readonly to: readonly Readonly<Record<string, readonly string[]>>[]
  readonly when: readonly PolicyCondition[]
  /** Paths of what nobody here understands. */
  readonly unknown: readonly string[]
}

export type PolicyAction = 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'

export interface AuthorizationPolicy extends Meta {
  /** Undefined: an action nobody here knows. */
  readonly action: PolicyAction | undefined
  /** Undefined: every workload of the scope. */
  readonly selector: StringMap | undefined
  readonly targetRefs: readonly TargetRef[]
  readonly rules: readonly PolicyRule[]
  readonly requestRules: readonly RequestRule[]
  /** Who decides for a CUSTOM policy. */
  readonly provider: string
  readonly dryRun: boolean
  readonly unknown: readonly string[]
}

export interface RequestAuthentication extends Meta {
  /** Undefined: every workload of the scope. */
  readonly selector: StringMap | undefined
  readonly targetRefs: readonly TargetRef[]
}

export interface MeshConfig {
  readonly rootNamespace: string
  readonly trustDomain: string
  /** Undefined: the defaults. */
  readonly waypoints?: WaypointDefaults | undefined
}

/** What the mesh-wide settings say about waypoints and gateways. */
export interface WaypointDefaults {
  readonly trustDomainAliases: readonly string[]
  readonly pathNormalization: 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES'
  /** Undefined: none. */
  readonly accessLog: { readonly encoding: 'TEXT' | 'JSON'; readonly format: string } | undefined
  readonly connectTimeoutMs: number
  /** Proxies in front of gateways; undefined: none. */
  readonly trustedProxies?: number | undefined
}

/** What every compiled resource needs to know of the mesh around it. */
export interface MeshContext extends MeshConfig {
  readonly clusterId: string
  readonly domain: string
  /** Network of this cluster, from the root namespace's label. */
  readonly network: string
  /** Policies that only report what they would decide are sent too. */
  readonly dryRunEnabled?: boolean
  /** Istio's own Gateways are for gateways of their namespace only. */
  readonly gatewaysStayInNamespace?: boolean
}
