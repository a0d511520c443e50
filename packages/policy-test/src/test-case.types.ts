import type { Question } from '@ambit/explain'
import type { Expectation } from './policy-test.types.ts'

/** One question and what is expected of the answer. */
export interface TestCase {
  /** Name of the test it belongs to. */
  readonly test: string
  /** Names this case and, in most tests, no other. */
  readonly name: string
  readonly file: string
  readonly line: number
  readonly column: number
  /** As it was written. */
  readonly from: string
  readonly to: string
  readonly request: string | undefined
  readonly question: Question
  readonly expected: Expectation
}
