import type { Meta } from './domain.types.ts'
import type { StringMap } from './watch/json.ts'

export interface DestinationRule extends Meta {
  /** Complete; `*.x` and `*` are wildcards. */
  readonly host: string
  readonly exportTo: readonly string[]
  readonly policy: TrafficPolicy | undefined
  readonly subsets: readonly RuleSubset[]
  /** It is for sidecars with certain labels, and for no waypoint. */
  readonly hasSelector: boolean
  /** What of it is not followed although nothing is refused for it. */
  readonly notes: readonly string[]
}

export interface RuleSubset {
  readonly name: string
  readonly labels: StringMap
  readonly policy: TrafficPolicy | undefined
}

export interface TrafficPolicy extends PolicyBlocks {
  readonly ports: readonly ({ readonly port: number } & PolicyBlocks)[]
}

/** A block is replaced whole by that of a narrower level. */
export interface PolicyBlocks {
  readonly loadBalancer: LoadBalancer | undefined
  readonly connectionPool: ConnectionPool | undefined
  readonly outlierDetection: OutlierDetection | undefined
  readonly tls: UpstreamTls | undefined
}

export interface LoadBalancer {
  readonly algorithm: 'LEAST_REQUEST' | 'ROUND_ROBIN' | 'RANDOM' | 'PASSTHROUGH'
  readonly hash: HashOf | undefined
}

export type HashOf =
  | { readonly kind: 'header'; readonly name: string }
  | {
      readonly kind: 'cookie'
      readonly name: string
      readonly path: string
      /** Undefined: who has none is given none. */
      readonly ttlSeconds: number | undefined
    }
  | { readonly kind: 'source-ip' }
  | { readonly kind: 'query'; readonly name: string }

export interface ConnectionPool {
  readonly maxConnections: number | undefined
  readonly maxPendingRequests: number | undefined
  readonly maxRequests: number | undefined
  readonly maxRetries: number | undefined
  readonly maxRequestsPerConnection: number | undefined
  readonly connectTimeoutMs: number | undefined
}

export interface OutlierDetection {
  readonly consecutive5xx: number
  readonly consecutiveGatewayErrors: number
  readonly intervalMs: number
  readonly baseEjectionMs: number
  readonly maxEjectionPercent: number
  readonly minHealthPercent: number
}

export type UpstreamTls =
  /** The mesh decides. */
  | { readonly kind: 'mesh' }
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'simple'
      /** Empty: the service's hostname. */
      readonly serverName: string
      readonly subjectAltNames: readonly string[]
      readonly insecureSkipVerify: boolean
    }
