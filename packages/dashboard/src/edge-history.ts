import { HISTORY_POINTS, HISTORY_STEP_MS, RATE_POINTS } from './limits.ts'
import type { EdgeHistory } from './topology.types.ts'

/** What grows, as of a moment. */
export interface Totals {
  readonly events: number
  readonly bytes: number
  readonly failed: number
}

const NOTHING: Totals = { events: 0, bytes: 0, failed: 0 }

/** The last minutes of one edge, as differences of its totals. */
export class EdgeTimeline {
  readonly #events = new Float64Array(HISTORY_POINTS)
  readonly #bytes = new Float64Array(HISTORY_POINTS)
  readonly #denied = new Uint32Array(HISTORY_POINTS)
  readonly #failed = new Uint32Array(HISTORY_POINTS)
  #last: Totals = NOTHING
  /** Number of the step that is being filled, from an arbitrary start. */
  #step: number | undefined

  /** What was counted before anybody looked: it is no traffic of now. */
  begin(totals: Totals): void {
    this.#last = totals
  }

  /** Denials are told one by one, some of them long after. */
  addDenial(atMs: number, nowMs: number): void {
    this.#moveTo(nowMs)
    // Clocks of nodes may be ahead of this machine's.
    const back = Math.floor(Math.max(0, nowMs - atMs) / HISTORY_STEP_MS)
    const at = this.#index(back)
    if (back < HISTORY_POINTS) this.#denied[at] = (this.#denied[at] ?? 0) + 1
  }

  /** Adds what was counted since the last time to the present step. */
  add(totals: Totals, nowMs: number): void {
    this.#moveTo(nowMs)
    const at = this.#index(0)
    // A proxy that starts again counts from 0: what is less than before is new.
    const grown = (now: number, before: number): number => (now >= before ? now - before : now)
    this.#events[at] = (this.#events[at] ?? 0) + grown(totals.events, this.#last.events)
    this.#bytes[at] = (this.#bytes[at] ?? 0) + grown(totals.bytes, this.#last.bytes)
    this.#failed[at] = (this.#failed[at] ?? 0) + grown(totals.failed, this.#last.failed)
    this.#last = totals
  }

  /** Means of the last whole steps, and sums of all of them. */
  rates(nowMs: number): { perSecond: number; bytesPerSecond: number; deniedLately: number; failedLately: number } {
    this.#moveTo(nowMs)
    const seconds = (RATE_POINTS * HISTORY_STEP_MS) / 1000
    let events = 0
    let bytes = 0
    for (let back = 1; back <= RATE_POINTS; back++) {
      events += this.#events[this.#index(back)] ?? 0
      bytes += this.#bytes[this.#index(back)] ?? 0
    }
    const sum = (numbers: Uint32Array): number => numbers.reduce((total, one) => total + one, 0)
    return {
      perSecond: events / seconds,
      bytesPerSecond: bytes / seconds,
      deniedLately: sum(this.#denied),
      failedLately: sum(this.#failed),
    }
  }

  history(nowMs: number): EdgeHistory {
    this.#moveTo(nowMs)
    const inOrder = (numbers: Float64Array | Uint32Array): number[] =>
      Array.from({ length: HISTORY_POINTS }, (_, i) => numbers[this.#index(HISTORY_POINTS - 1 - i)] ?? 0)
    return {
      stepMs: HISTORY_STEP_MS,
      events: inOrder(this.#events),
      bytes: inOrder(this.#bytes),
      denied: inOrder(this.#denied),
    }
  }

  #index(back: number): number {
    return ((((this.#step ?? 0) - back) % HISTORY_POINTS) + HISTORY_POINTS) % HISTORY_POINTS
  }

  #moveTo(nowMs: number): void {
    const step = Math.floor(nowMs / HISTORY_STEP_MS)
    const missed = Math.min(HISTORY_POINTS, step - (this.#step ?? step))
    if (this.#step === undefined || step > this.#step) this.#step = step
    for (let back = 0; back < missed; back++) {
      for (const numbers of [this.#events, this.#bytes, this.#denied, this.#failed]) numbers[this.#index(back)] = 0
    }
  }
}
