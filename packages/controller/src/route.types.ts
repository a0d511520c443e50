import type { Meta } from './domain.types.ts'
import type { Json } from './watch/json.ts'

/** An HTTPRoute or GRPCRoute, its rules in one language. */
export interface MeshRoute extends Meta {
  readonly kind: 'HTTPRoute' | 'GRPCRoute'
  readonly parents: readonly ParentRef[]
  /** At gateways; lower case, empty: every host. */
  readonly hostnames: readonly string[]
  readonly rules: readonly RouteRule[]
}

export interface ParentRef {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Undefined: every port. */
  readonly port: number | undefined
  /** Name of a gateway's listener; empty: every one. */
  readonly section: string
  /** As in the object, for its status. */
  readonly written: Json
}

export interface RouteRule {
  /** Alternatives. */
  readonly matches: readonly RequestMatch[]
  readonly requestHeaders: HeaderChanges | undefined
  readonly responseHeaders: HeaderChanges | undefined
  readonly redirect: Redirect | undefined
  readonly rewrite: Rewrite | undefined
  readonly mirrors: readonly { readonly backend: BackendRef; readonly perMillion: number }[]
  readonly backends: readonly BackendRef[]
  readonly requestTimeoutMs: number | undefined
  readonly backendTimeoutMs: number | undefined
  readonly retry:
    | {
        readonly attempts: number
        readonly codes: readonly number[]
        readonly backoffMs: number
        /** Envoy's names; empty: the default ones. */
        readonly conditions?: readonly string[]
      }
    | undefined
  readonly fault?: Fault | undefined
  readonly cors?: Cors | undefined
  readonly directResponse?: DirectResponse | undefined
  /** What of it is not understood or not supported; then it can not be honoured. */
  readonly problems: readonly string[]
}

export interface RequestMatch {
  readonly path: PathMatch | undefined
  readonly method: string
  readonly headers: readonly ValueMatch[]
  readonly query: readonly ValueMatch[]
  /** What only a VirtualService can ask for. */
  readonly more?: FurtherConditions | undefined
}

export interface PathMatch {
  /** `prefix`: of whole segments; `text-prefix`: of characters. */
  readonly kind: 'exact' | 'prefix' | 'regex' | 'text-prefix'
  readonly value: string
  readonly ignoresCase?: boolean | undefined
}

export interface FurtherConditions {
  readonly method: TextMatch | undefined
  readonly scheme: TextMatch | undefined
  readonly authority: TextMatch | undefined
  readonly withoutHeaders: readonly ValueMatch[]
  /** Empty: any. */
  readonly sourceNamespace: string
}

export interface TextMatch {
  readonly kind: 'exact' | 'prefix' | 'regex'
  readonly value: string
}

export interface ValueMatch {
  readonly name: string
  /** `present`: whatever the value. */
  readonly kind: 'exact' | 'regex' | 'prefix' | 'present'
  readonly value: string
}

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
  readonly answerAllPreflights: boolean
}

export interface DirectResponse {
  readonly status: number
  readonly body: Uint8Array
}

export interface HeaderChanges {
  readonly set: readonly HeaderValue[]
  readonly add: readonly HeaderValue[]
  readonly remove: readonly string[]
}

export interface HeaderValue {
  readonly name: string
  readonly value: string
}

/** `text-prefix`: in place of the text that was matched so. `regex`: `value` in place of what the pattern matches. */
export type PathChange =
  | { readonly kind: 'full' | 'prefix' | 'text-prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly pattern: string; readonly value: string }

export interface Redirect {
  readonly scheme: string
  readonly hostname: string
  readonly port: number
  readonly path: PathChange | undefined
  readonly status: number
  /** Without a port of its own: the client's, as written, stays. */
  readonly keepsWrittenPort?: boolean
}

export interface Rewrite {
  readonly hostname: string
  readonly path: PathChange | undefined
}

export interface BackendRef {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly port: number | undefined
  /** Of a DestinationRule; absent: all endpoints. */
  readonly subset?: string | undefined
  readonly weight: number
  readonly requestHeaders: HeaderChanges | undefined
  readonly responseHeaders: HeaderChanges | undefined
  readonly problems: readonly string[]
}

/** Who of other namespaces may refer to what of this one. */
export interface ReferenceGrant extends Meta {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[]
  /** An empty name: all of the kind. */
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name: string }[]
}
