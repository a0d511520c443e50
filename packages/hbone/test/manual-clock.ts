import { type Clock, systemClock } from '@ambit/core'

/** Time that moves only when it is told to. */
export class ManualClock implements Clock {
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>()
  #now: number

  constructor(now: number = Date.now()) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): Disposable {
    const timer = { at: this.#now + ms, callback }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal)
  }

  /** Milliseconds to the next timer. */
  get nextMs(): number | undefined {
    const times = Array.from(this.#timers, ({ at }) => at - this.#now)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      const [due] = [...this.#timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.callback()
      await turn()
    }
    this.#now = end
    await turn()
  }
}

/** Lets everything that is ready run. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
