export interface BackoffOptions {
  readonly initialMs: number
  readonly maxMs: number
  readonly factor?: number
  /** Share of the delay drawn at random to both sides, 0..1. */
  readonly jitter?: number
}

/** Exponential delays with a cap: `next()` after a failure, `reset()` after a success. */
export class Backoff {
  readonly #options: Required<BackoffOptions>
  readonly #random: () => number
  #delayMs: number

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = { factor: 2, jitter: 0, ...options }
    this.#random = random
    this.#delayMs = options.initialMs
  }

  next(): number {
    const { factor, jitter, maxMs } = this.#options
    const delay = this.#delayMs
    this.#delayMs = Math.min(maxMs, delay * factor)
    return delay * (1 + jitter * (2 * this.#random() - 1))
  }

  reset(): void {
    this.#delayMs = this.#options.initialMs
  }
}
