/** Collects what is wrong with an object, each with the path of the field it is about. */
export class Report {
  readonly errors: string[] = []
  readonly warnings: string[] = []

  error(path: string, message: string): void {
    this.errors.push(`${path}: ${message}`)
  }

  /** Undefined: nothing is wrong. */
  check(path: string, problem: string | undefined): void {
    if (problem !== undefined) this.error(path, problem)
  }

  /** Worth saying, and no reason to refuse. */
  warn(path: string, message: string): void {
    this.warnings.push(`${path}: ${message}`)
  }
}
