import type { Answer, NearestMiss, Question } from '@ambit/explain'

/** Format of `ambit diff -o json`; docs/diff.md describes it. */
export const DIFF_FORMAT = 'ambit.diff/v1'

/** What becomes of a set of policies, and of the traffic under them. */
export interface PolicyDiff {
  readonly format: typeof DIFF_FORMAT
  readonly objects: readonly ObjectChange[]
  /** Found by the policies alone. */
  readonly regions: readonly Region[]
  /** Absent: no flows were given. */
  readonly flows?: FlowsDiff | undefined
  /** What the answer leaves out, and why. */
  readonly gaps: readonly string[]
  /** Whether a bound was reached: there may be more than is told. */
  readonly isPartial: boolean
}

export interface ObjectChange {
  readonly change: 'added' | 'changed' | 'removed'
  readonly kind: string
  /** `namespace/name`; of what has no namespace, the name. */
  readonly name: string
}

export type AccessChange = 'denied' | 'allowed'

/** A set of requests that are all refused from now on, or all let through. */
export interface Region {
  readonly change: AccessChange
  /** `service shop/web:80`, `workload shop/web:8080`. */
  readonly destinations: readonly string[]
  /** All must hold; none: everything that goes there. */
  readonly conditions: readonly Condition[]
  /** What decides now, and what did. */
  readonly after: Decision
  readonly before: Decision
  /** For a denial that no rule decided: the rule that came closest to allowing it. */
  readonly nearest?: NearestMiss | undefined
  /** Accounts that run and are concerned, `namespace/name`. */
  readonly clients: readonly string[]
  /** Endpoints of the service for which it is so, where it is not for all. */
  readonly endpoints?: readonly string[] | undefined
  /** One of them, as `ambit explain` is asked. */
  readonly example: Question
}

/** What a field must be; with neither list it may be anything, absent excluded as written. */
export interface Condition {
  readonly field: string
  /** One of these; empty: anything. */
  readonly is: readonly string[]
  /** And none of these. */
  readonly isNot: readonly string[]
}

/** The part of an answer that says who decided. */
export type Decision = Pick<Answer, 'outcome' | 'point' | 'reason' | 'policy' | 'rule' | 'unmatched'>

export interface FlowsDiff {
  /** As recorded: connections and requests. */
  readonly total: number
  readonly unchanged: number
  /** Most first. */
  readonly changed: readonly ChangedFlow[]
  /** Flows of which no verdict can be said, by the reason. */
  readonly unjudged: readonly { readonly reason: string; readonly count: number; readonly flows: readonly string[] }[]
  /** Of those that are unchanged: as recorded they ended otherwise, so policies changed since. */
  readonly outdated: number
  /** As the recording tells of itself. */
  readonly from: string
  readonly to: string
  readonly isComplete: boolean
}

export interface ChangedFlow {
  readonly change: AccessChange
  readonly count: number
  readonly client: string
  readonly destination: string
  /** `GET /reviews/{number}`; absent: a connection. */
  readonly request?: string | undefined
  readonly after: Decision
  readonly before: Decision
  readonly nearest?: NearestMiss | undefined
  readonly firstSeen: string
  readonly lastSeen: string
  readonly example: Question
}
