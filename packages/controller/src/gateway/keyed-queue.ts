import { Backoff, type Clock, type Logger, messageOf } from '@ambit/core'
import { GATEWAY_BACKOFF, GATEWAY_CONCURRENCY } from '../limits.ts'

/**
 * Work by name: each name is waiting at most once, never worked on twice at a time, and tried again after a failure. As
 * long as the names that exist.
 */
export class KeyedQueue {
  readonly #parts: {
    readonly work: (key: string, signal: AbortSignal) => Promise<void>
    readonly what: string
    readonly clock: Clock
    readonly logger: Logger
  }
  readonly #waiting = new Set<string>()
  readonly #busy = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, Backoff>()
  readonly #signal: AbortSignal

  constructor(
    parts: {
      readonly work: (key: string, signal: AbortSignal) => Promise<void>
      /** For the log: what could not be done. */
      readonly what: string
      readonly clock: Clock
      readonly logger: Logger
    },
    signal: AbortSignal,
  ) {
    this.#parts = parts
    this.#signal = signal
  }

  add(key: string): void {
    if (this.#signal.aborted) return
    this.#waiting.add(key)
    this.#pump()
  }

  /** Resolves when nothing is waiting or worked on; what waits for another try is not counted. */
  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values())
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#signal.aborted || this.#busy.size >= GATEWAY_CONCURRENCY) return
      if (this.#busy.has(key)) continue
      this.#waiting.delete(key)
      const done = this.#attempt(key).finally(() => {
        this.#busy.delete(key)
        this.#pump()
      })
      this.#busy.set(key, done)
    }
  }

  async #attempt(key: string): Promise<void> {
    const { work, what, clock, logger } = this.#parts
    try {
      await work(key, this.#signal)
      this.#failures.delete(key)
    } catch (error) {
      if (this.#signal.aborted) return
      logger.warn(`${what}, trying again: ${messageOf(error)}`, { gateway: key })
      const backoff = this.#failures.getOrInsertComputed(key, () => new Backoff(GATEWAY_BACKOFF))
      clock.after(backoff.next(), () => this.add(key))
    }
  }
}
