/** What of the policies the cases tried. */
export interface CoverageReport {
  /** Of policies, rules and clauses together, to one decimal. */
  readonly percent: number
  /** That some case asked. */
  readonly policies: Share
  /** That decided a case. */
  readonly rules: Share
  /** That were tried both ways. */
  readonly clauses: Share
  readonly details: readonly PolicyCoverage[]
}

export interface Share {
  readonly tried: number
  readonly of: number
}

export interface PolicyCoverage {
  /** `namespace/name`. */
  readonly policy: string
  readonly kind: string
  readonly action: string
  /** Cases in which it was asked. */
  readonly asked: number
  /** Cases that it decided, by a rule or because none of its rules matched. */
  readonly decided: number
  /** Why it can never match, whatever is asked. */
  readonly neverMatches?: string | undefined
  readonly rules: readonly RuleCoverage[]
}

export interface RuleCoverage {
  readonly rule: number
  /** Cases that it decided. */
  readonly decided: number
  /** Why it was never looked at although its policy was asked. */
  readonly excluded?: string | undefined
  readonly clauses: readonly ClauseCoverage[]
}

export interface ClauseCoverage {
  /** As it stands in the policy. */
  readonly field: string
  /** Cases that its rule decided, and would not have if this had not held. */
  readonly held: number
  /** Cases that would have come out otherwise if this alone had held. */
  readonly prevented: number
}
