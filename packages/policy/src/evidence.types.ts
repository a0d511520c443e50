/** What one field of a policy said. */
export interface ClauseEvidence {
  /** As it stands in the policy, `from[0].source.principals`; on connections as it was sent, `clauses[0].matches[1].principals`. */
  readonly field: string
  readonly holds: boolean
  /** It asks about HTTP where there is none, and so restricts nothing. */
  readonly ignored?: true
  /** As policies are written: `*` at an end or alone. */
  readonly wanted: readonly string[]
  readonly notWanted: readonly string[]
  /** What was there; absent: nothing. */
  readonly actual?: string
}

export interface RuleEvidence<C extends ClauseEvidence = ClauseEvidence> {
  readonly rule: number
  readonly matched: boolean
  /** Why the rule was not asked at all: an ALLOW that is not understood, or that asks about HTTP where there is none. */
  readonly excluded?: 'not-understood' | 'not-http'
  readonly clauses: readonly C[]
  /** The fewest clauses that would have to hold for it to match; empty where it did, or was not asked. */
  readonly missing: readonly C[]
}

export interface PolicyEvidence<C extends ClauseEvidence = ClauseEvidence> {
  /** `namespace/name`. */
  readonly policy: string
  readonly action: 'Allow' | 'Deny' | 'Audit' | 'Custom'
  readonly dryRun: boolean
  /** By one of its rules, listed here or not. */
  readonly matched: boolean
  readonly rules: readonly RuleEvidence<C>[]
}

/** What every policy said that was asked, and what comes of it. */
export interface Trace<C extends ClauseEvidence = ClauseEvidence> {
  readonly allowed: boolean
  /** Of the policy that decided; absent where none did. */
  readonly decidedBy?: { readonly policy: string; readonly rule: number }
  /** In the order they are asked; those that only report last. */
  readonly policies: readonly PolicyEvidence<C>[]
  /** Listed, and not known. */
  readonly missing: readonly string[]
}
