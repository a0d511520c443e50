import type { Meta } from './domain.types.ts'
import type { Json } from './watch/json.ts'

/** An HTTPRoute or GRPCRoute, its rules in one language. */
export interface MeshRoute extends Meta {
  readonly kind: 'HTTPRoute' | 'GRPCRoute'
  readonly parents: readonly ParentRef[]
  readonly rules: readonly RouteRule[]
}

export interface ParentRef {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Undefined: every port. */
  readonly port: number | undefined
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
    | { readonly attempts: number; readonly codes: readonly number[]; readonly backoffMs: number }
    | undefined
  /** What of it is not understood or not supported; then it can not be honoured. */
  readonly problems: readonly string[]
}

export interface RequestMatch {
  readonly path: { readonly kind: 'exact' | 'prefix' | 'regex'; readonly value: string } | undefined
  readonly method: string
  readonly headers: readonly ValueMatch[]
  readonly query: readonly ValueMatch[]
}

export interface ValueMatch {
  readonly name: string
  readonly kind: 'exact' | 'regex'
  readonly value: string
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

export interface PathChange {
  readonly kind: 'full' | 'prefix'
  readonly value: string
}

export interface Redirect {
  readonly scheme: string
  readonly hostname: string
  readonly port: number
  readonly path: PathChange | undefined
  readonly status: number
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
