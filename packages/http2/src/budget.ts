/** A bucket of tokens: a burst, refilled at a rate. */
export class Budget {
  readonly #burst: number
  readonly #perMs: number
  #left: number
  #atMs = 0

  constructor(burst: number, perSecond: number) {
    this.#burst = burst
    this.#perMs = perSecond / 1000
    this.#left = burst
  }

  /** Takes one; false when there is none left. */
  spend(nowMs: number): boolean {
    if (this.#left < 1) {
      if (this.#atMs !== 0) this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) * this.#perMs)
      this.#atMs = nowMs
      if (this.#left < 1) return false
    } else if (this.#atMs === 0) this.#atMs = nowMs
    this.#left--
    return true
  }
}
