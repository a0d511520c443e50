import type { ServiceKey } from '../workload.types.ts'
import type { Listener } from './listener.types.ts'
import type { RetryCondition } from './retry-condition.ts'

/** What a waypoint serves: a service or a workload bound to it, with what is done to its requests. */
export type Destination = ServiceDestination | WorkloadDestination

interface DestinationBase {
  /** `namespace/name` of every policy for requests in force here; one that is not known denies. */
  readonly authorizationPolicies: readonly string[]
  /** A request with a token can not be let through before the token is checked. */
  readonly authenticatesRequests: boolean
}

export interface ServiceDestination extends DestinationBase {
  readonly kind: 'service'
  readonly key: ServiceKey
  readonly namespace: string
  readonly hostname: string
  readonly ports: ReadonlyMap<number, DestinationPort>
  /** Name of the TrafficPolicy for what no route leads elsewhere; empty: none. */
  readonly trafficPolicy: string
}

export interface WorkloadDestination extends DestinationBase {
  readonly kind: 'workload'
  readonly uid: string
}

/** `unknown`: not declared, the client's first bytes decide. */
export type PortProtocol = 'unknown' | 'tcp' | 'tls' | 'http' | 'http2' | 'grpc'

export interface DestinationPort {
  readonly number: number
  readonly protocol: PortProtocol
  /** In order of precedence; undefined when no route is attached. Empty: nothing matches. */
  readonly routes: readonly Route[] | undefined
  /** Where connections that are no HTTP go; undefined: to the service itself. */
  readonly tcpBackends: readonly Backend[] | undefined
}

export interface Route {
  /** `namespace.name.rule`, as in access logs. */
  readonly name: string
  readonly match: RouteMatch
  readonly requestHeaders: HeaderChanges
  readonly responseHeaders: HeaderChanges
  readonly rewrite: Rewrite | undefined
  readonly mirrors: readonly Mirror[]
  readonly requestTimeoutMs: number | undefined
  readonly backendTimeoutMs: number | undefined
  /** Undefined: the default policy. */
  readonly retry: Retry | undefined
  readonly fault: Fault | undefined
  readonly cors: Cors | undefined
  readonly action: RouteAction
}

/** Shares are of a million requests. */
export interface Fault {
  readonly delay: { readonly perMillion: number; readonly ms: number } | undefined
  readonly abort: { readonly perMillion: number; readonly kind: 'http' | 'grpc'; readonly status: number } | undefined
}

export interface Cors {
  readonly allowOrigins: readonly TextMatch[]
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly maxAgeSeconds: number | undefined
  readonly allowCredentials: boolean
  /** Otherwise a preflight of another origin is passed on. */
  readonly answerAllPreflights: boolean
}

export type RouteAction =
  | { readonly kind: 'forward'; readonly backends: readonly Backend[] }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  /** `problem`: why a route that could not be understood is answered so; undefined when the control plane said it. */
  | {
      readonly kind: 'fixed-status'
      readonly status: number
      readonly body?: Uint8Array
      readonly problem?: string | undefined
    }

export interface RouteMatch {
  /** Undefined: every path. */
  readonly path: PathMatch | undefined
  /** Undefined: every method. */
  readonly method: string | undefined
  readonly headers: readonly ValueMatch[]
  readonly query: readonly ValueMatch[]
  /** Undefined: nothing else is asked for. */
  readonly more: FurtherConditions | undefined
}

/** All must hold. */
export interface FurtherConditions {
  readonly method: TextMatch | undefined
  readonly scheme: TextMatch | undefined
  readonly authority: TextMatch | undefined
  /** None may hold. */
  readonly withoutHeaders: readonly ValueMatch[]
  /** Of the client's identity; undefined: any. */
  readonly sourceNamespace: string | undefined
}

/** A regular expression that was compiled once, matches in linear time and only the whole text. */
export interface WholeTextPattern {
  readonly source: string
  test(text: string): boolean
}

/** `prefix`: of whole segments. `text-prefix`: of characters. */
export type PathMatch =
  | {
      readonly kind: 'exact' | 'prefix' | 'text-prefix'
      /** In lower case when letters of either case are the same. */
      readonly value: string
      readonly ignoresCase?: boolean
    }
  | { readonly kind: 'regex'; readonly pattern: WholeTextPattern }

export type TextMatch =
  | { readonly kind: 'exact' | 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly pattern: WholeTextPattern }

export type ValueMatch = { readonly name: string } & (TextMatch | { readonly kind: 'present' })

/** Names in lower case; removals first, then `set`, then `add`. */
export interface HeaderChanges {
  readonly set: readonly HeaderValue[]
  readonly add: readonly HeaderValue[]
  readonly remove: readonly string[]
}

export interface HeaderValue {
  readonly name: string
  readonly value: string
}

export interface Rewrite {
  readonly hostname: string | undefined
  readonly path: PathChange | undefined
}

/** `prefix` and `text-prefix` replace what the route matched so. */
export type PathChange =
  | { readonly kind: 'full' | 'prefix' | 'text-prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly replacement: Replacement }

/** A pattern compiled once, and what stands in place of each of its matches. */
export interface Replacement {
  readonly source: string
  apply(text: string): string
}

export interface Redirect {
  readonly scheme: string | undefined
  readonly hostname: string | undefined
  readonly port: number | undefined
  readonly path: PathChange | undefined
  readonly status: number
  /** Without a port of its own: the client's, as written, stays. */
  readonly keepsWrittenPort: boolean
}

export interface Backend {
  readonly service: ServiceKey
  readonly port: number
  readonly weight: number
  /** Not found or not permitted: its share of requests is answered 500. */
  readonly invalid: boolean
  readonly protocol: PortProtocol
  readonly requestHeaders: HeaderChanges
  readonly responseHeaders: HeaderChanges
  /** Name of its TrafficPolicy; empty: none. */
  readonly trafficPolicy: string
  /** Empty: all endpoints. */
  readonly subset: string
}

export interface Mirror {
  readonly backend: Backend
  /** Of a million requests. */
  readonly perMillion: number
}

export interface Retry {
  /** Further attempts after the first; 0 turns retries off. */
  readonly attempts: number
  readonly codes: readonly number[]
  /** 0: the default. */
  readonly backoffMs: number
  /** Empty: the default ones. */
  readonly conditions: readonly RetryCondition[]
}

export type PathNormalization = 'none' | 'base' | 'merge-slashes' | 'decode-and-merge-slashes'

export interface WaypointSettings {
  readonly namespace: string
  readonly gateway: string
  readonly rootNamespace: string
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  readonly pathNormalization: PathNormalization
  /** Undefined: none. An empty format is Istio's default. */
  readonly accessLog: { readonly encoding: 'text' | 'json'; readonly format: string } | undefined
  readonly forwardClientIdentity: boolean
  readonly connectTimeoutMs: number
  /** Of a gateway; a waypoint has none. */
  readonly listeners: readonly Listener[]
  /** Of a gateway: in force for all that it is asked, as those of a destination are. */
  readonly authorizationPolicies: readonly string[]
  readonly authenticatesRequests: boolean
  /** Of a gateway: proxies in front of it that are believed. */
  readonly trustedHops: number
}
