/**
 * What has to wait until the workloads that were pending when it came up are compiled. They are compiled in the order
 * they came, so a count of them tells when that is.
 */
export class AfterBacklog {
  /** Key to the number of workloads that must have been compiled. */
  readonly #waiting = new Map<string, number>()

  hold(key: string, compiled: number): void {
    this.#waiting.set(key, compiled)
  }

  drop(key: string): void {
    this.#waiting.delete(key)
  }

  /** Gives up what has waited long enough. */
  take(compiled: number): readonly string[] {
    const due: string[] = []
    for (const [key, needed] of this.#waiting) if (needed <= compiled) due.push(key)
    for (const key of due) this.#waiting.delete(key)
    return due
  }
}
