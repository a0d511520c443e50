import { setTimeout as delay } from 'node:timers/promises'

/** Time as a component, so that tests own it. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Monotonic, milliseconds from an arbitrary start. */
  monotonic(): number
  /** Runs `callback` once after `ms`; disposing cancels. Never keeps the process alive by itself. */
  after(ms: number, callback: () => void): Disposable
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Longest delay Node's timers take, about 24.8 days; longer ones would fire at once. */
export const MAX_TIMER_MS = 0x7fffffff

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMER_MS))
    timer.unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
  async sleep(ms, signal) {
    await delay(Math.min(ms, MAX_TIMER_MS), undefined, signal === undefined ? {} : { signal })
  },
}
