import type { Code, Level } from './codes.ts'
import type { Path } from './field.ts'
import type { Snapshot } from './snapshot.ts'
import type { Sourced } from './source.types.ts'

/** What an analyzer finds. */
export interface Finding {
  readonly code: Code
  readonly about: Sourced
  readonly message: string
  /** The field it is about; the whole object otherwise. */
  readonly path?: Path | undefined
}

/** Decides one question about a snapshot. */
export interface Analyzer {
  /** Istio's name where there is such an analyzer. */
  readonly name: string
  readonly summary: string
  readonly codes: readonly Code[]
  readonly analyze: (snapshot: Snapshot) => Iterable<Finding>
}

/** What is told of a finding. */
export interface Message {
  readonly code: Code
  readonly level: Level
  /** `Kind namespace/name`; empty: of no object. */
  readonly origin: string
  /** `file:line`; empty: from the cluster. */
  readonly reference: string
  readonly message: string
}
