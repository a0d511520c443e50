import type { SpiffeId } from '@ambit/core'
import type { Condition, HttpAuthorization } from '@ambit/state'
import type { RequestField } from './request-literals.ts'
import type { HttpFacts, RequestFacts } from './request-verdict.types.ts'

/** The facts in the form clauses compare with, made once per verdict. */
export interface JudgedRequest {
  readonly facts: RequestFacts
  readonly identity: SpiffeId | undefined
  /** `td/ns/x/sa/y`, without `spiffe://`. */
  readonly principal: string | undefined
  readonly http: HttpFacts | undefined
  /** In lower case. */
  readonly authority: string | undefined
}

/** One field of a rule, with both its lists. */
export interface Clause {
  /** As a person would look for it: `from[0].source.principals`. */
  readonly field: string
  /** It asks about HTTP: where there is none it holds. */
  readonly http: boolean
  holds(request: JudgedRequest): boolean
  /** Both lists as they are written; for evidence, never for a verdict. */
  written(): { readonly some: readonly string[]; readonly none: readonly string[] }
  /** What the field is compared with; undefined: nothing is there. For evidence. */
  actual(request: JudgedRequest): string | undefined
}

/** All of the clauses must hold; without any it holds. */
export type Entry = readonly Clause[]

export interface CompiledRule {
  /** Alternatives; an empty list holds. */
  readonly from: readonly Entry[]
  readonly to: readonly Entry[]
  /** Must all hold. */
  readonly when: Entry
  /** The rule can not match: an ALLOW of which something is not understood. */
  readonly never: boolean
  /** The rule can not match what is not HTTP: an ALLOW that asks about HTTP. */
  readonly httpOnly: boolean
  /** What a request of HTTP is known by not to match, before any clause is asked. */
  readonly conditions: readonly Condition<RequestField>[]
  /** As Envoy names it in response code details. */
  readonly details: string
}

export interface CompiledPolicy {
  /** `namespace/name`. */
  readonly key: string
  readonly action: HttpAuthorization['action']
  readonly dryRun: boolean
  readonly rules: readonly CompiledRule[]
}
