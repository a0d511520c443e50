/** A value to try, and what it stands for. */
export interface Candidate {
  /** Undefined: the field is not there. */
  readonly value: string | undefined
  /** As a person reads it: `GET`, `/admin/*`, `10.0.0.0/8`. */
  readonly label: string
  /** `other`: what no pattern names. */
  readonly kind: 'named' | 'other' | 'none'
}

export interface Candidates {
  readonly list: readonly Candidate[]
  /** Not everything that the patterns tell apart is in the list. */
  readonly partial: boolean
}
