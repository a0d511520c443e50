import { MAX_REVIEWED_PATTERN_CHARACTERS } from '../limits.ts'
import { regexProblem } from './field-problems.ts'

/** Collects what is wrong with an object, each with the path of the field it is about. */
export class Report {
  readonly errors: string[] = []
  readonly warnings: string[] = []
  #patternCharacters = MAX_REVIEWED_PATTERN_CHARACTERS

  error(path: string, message: string): void {
    this.errors.push(`${path}: ${message}`)
  }

  /** Undefined: nothing is wrong. */
  check(path: string, problem: string | undefined): void {
    if (problem !== undefined) this.error(path, problem)
  }

  /** A regular expression; of very many only the first are looked at. */
  checkPattern(path: string, source: string): void {
    const left = this.#patternCharacters
    this.#patternCharacters -= source.length
    if (this.#patternCharacters >= 0) this.check(path, regexProblem(source))
    else if (left >= 0)
      this.warn(path, 'from here on regular expressions are too many to be looked at before they are in use')
  }

  /** Worth saying, and no reason to refuse. */
  warn(path: string, message: string): void {
    this.warnings.push(`${path}: ${message}`)
  }
}
