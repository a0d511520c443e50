import type { CidrMatch, ServiceAccountMatch, StringMatch } from '../authorization.types.ts'

/** An AuthorizationPolicy for requests; rules are alternatives. */
export interface HttpAuthorization {
  readonly namespace: string
  readonly name: string
  readonly action: 'Allow' | 'Deny' | 'Audit' | 'Custom'
  readonly dryRun: boolean
  readonly rules: readonly RequestRule[]
}

/** Sources are alternatives, operations too, conditions must all hold; an empty list holds. */
export interface RequestRule {
  readonly from: readonly RequestSource[]
  readonly to: readonly RequestOperation[]
  readonly when: readonly RequestCondition[]
  /**
   * What of the rule could not be understood, by path of the field; empty for nearly all. Such a rule of an ALLOW policy never matches, of
   * a DENY or CUSTOM policy it matches whatever the rest of it does not exclude.
   */
  readonly unknown: readonly string[]
}

/** Of each pair: one of the positive list hits or it is empty, and none of the negative one does. */
export interface Either<T> {
  readonly some: readonly T[]
  readonly none: readonly T[]
}

export interface RequestSource {
  /** `td/ns/x/sa/y`. */
  readonly principals: Either<StringMatch>
  /** `issuer/subject`. */
  readonly requestPrincipals: Either<StringMatch>
  readonly namespaces: Either<StringMatch>
  readonly serviceAccounts: Either<ServiceAccountMatch>
  readonly trustDomains: Either<StringMatch>
  /** Of the pod the connection came from. */
  readonly ipBlocks: Either<CidrMatch>
  /** Of the client as trusted hops report it. */
  readonly remoteIpBlocks: Either<CidrMatch>
}

export interface RequestOperation {
  /** Compared without case. */
  readonly hosts: Either<StringMatch>
  readonly ports: Either<number>
  readonly methods: Either<StringMatch>
  readonly paths: Either<PathPattern>
}

/** Literal patterns, or a template: literal segments, `{*}` for any one, `{**}` at the end or before literals for any number. */
export type PathPattern =
  | { readonly kind: 'text'; readonly text: StringMatch }
  | { readonly kind: 'template'; readonly source: string; readonly segments: readonly PathSegment[] }

export type PathSegment =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'one' }
  | { readonly kind: 'any-number' }

export type RequestCondition =
  | {
      readonly kind: 'ip'
      readonly of: 'source.ip' | 'remote.ip' | 'destination.ip'
      readonly values: Either<CidrMatch>
    }
  | { readonly kind: 'port'; readonly values: Either<number> }
  | { readonly kind: 'header'; readonly name: string; readonly values: Either<StringMatch> }
  | {
      readonly kind: 'text'
      readonly of:
        | 'source.namespace'
        | 'source.principal'
        | 'source.trustDomain'
        | 'request.auth.principal'
        | 'request.auth.audiences'
        | 'request.auth.presenter'
        | 'connection.sni'
      readonly values: Either<StringMatch>
    }
  | { readonly kind: 'service-account'; readonly values: Either<ServiceAccountMatch> }
  | { readonly kind: 'claim'; readonly path: readonly string[]; readonly values: Either<StringMatch> }
  /** A key nobody here can evaluate: see {@link RequestRule.unknown}. */
  | { readonly kind: 'unknown'; readonly key: string }
