import type { Meta } from './domain.types.ts'
import type { BackendRef, RequestMatch, RouteRule } from './route.types.ts'

/** Stands for all sidecars and waypoints among a VirtualService's gateways (Istio). */
export const MESH_GATEWAY = 'mesh'

export interface VirtualService extends Meta {
  /** Short names are completed already; `*.x` and `*` are wildcards. */
  readonly hosts: readonly string[]
  /** {@link MESH_GATEWAY}, or `namespace/name` of an Istio Gateway. */
  readonly gateways: readonly string[]
  /** Namespaces that see it; `*` is all of them. */
  readonly exportTo: readonly string[]
  readonly http: readonly VirtualRule[]
  readonly tcp: readonly TcpRule[]
  /** What of it is not followed although nothing is refused for it. */
  readonly notes: readonly string[]
}

export interface VirtualRule {
  /** Empty: none was given. */
  readonly name: string
  /** Alternatives; none were written: everything. */
  readonly matches: readonly VirtualMatch[]
  readonly effects: Omit<RouteRule, 'matches'>
  /** `namespace/name` of the VirtualService whose rules stand here. */
  readonly delegate: string | undefined
}

export interface VirtualMatch {
  readonly name: string
  readonly request: RequestMatch
  /** Undefined: every port. */
  readonly port: number | undefined
  /** Empty: those of the VirtualService. */
  readonly gateways: readonly string[]
  /** It asks for something that can never be told here, as labels of the source: it is left out. */
  readonly impossible: boolean
}

/** Of `tls`, then of `tcp`: what clients say inside is not looked at. */
export interface TcpRule {
  readonly matches: readonly TcpMatch[]
  readonly backends: readonly BackendRef[]
}

export interface TcpMatch {
  /** Undefined: every port. */
  readonly port: number | undefined
  /** Empty: those of the VirtualService. */
  readonly gateways: readonly string[]
  /** Undefined: none are asked for. A waypoint takes the service's own name for any. */
  readonly sniHosts: readonly string[] | undefined
}
