import { TIMER_TICK_MS, TIMER_WHEEL_SLOTS } from '../limits.ts'

export interface ReactorTimer {
  /** Nothing happens after it, also in the turn in which it was due. */
  cancel(): void
}

interface Entry {
  readonly dueTick: number
  readonly run: () => void
}

/** Timers of one thread, good to a tick: setting and cancelling cost the same however many there are. */
export class TimerWheel {
  readonly #slots: Set<Entry>[] = Array.from({ length: TIMER_WHEEL_SLOTS }, () => new Set())
  /** The last tick that was looked at. */
  #tick: number
  #count = 0

  constructor(nowMs: number) {
    this.#tick = Math.floor(nowMs / TIMER_TICK_MS)
  }

  get count(): number {
    return this.#count
  }

  after(ms: number, nowMs: number, run: () => void): ReactorTimer {
    // Never early: rounded up, and at least the next tick.
    const dueTick = Math.max(this.#tick + 1, Math.ceil((nowMs + ms) / TIMER_TICK_MS))
    const slot = this.#slot(dueTick)
    const entry: Entry = { dueTick, run }
    slot.add(entry)
    this.#count++
    return {
      cancel: () => {
        if (slot.delete(entry)) this.#count--
      },
    }
  }

  /** How long may be slept at most; -1 for as long as one likes. */
  sleepMs(nowMs: number): number {
    if (this.#count === 0) return -1
    for (let tick = this.#tick + 1; tick <= this.#tick + TIMER_WHEEL_SLOTS; tick++) {
      if (this.#slot(tick).size > 0) return Math.max(0, Math.ceil(tick * TIMER_TICK_MS - nowMs))
    }
    return TIMER_TICK_MS
  }

  /** Runs what is due. */
  advance(nowMs: number): void {
    const now = Math.floor(nowMs / TIMER_TICK_MS)
    if (now <= this.#tick) return
    // After a long stop every slot is looked at once, not once a tick.
    const first = Math.max(this.#tick + 1, now - TIMER_WHEEL_SLOTS + 1)
    this.#tick = now
    if (this.#count === 0) return
    for (let tick = first; tick <= now; tick++) {
      const slot = this.#slot(tick)
      for (const entry of slot) {
        if (entry.dueTick > now || !slot.delete(entry)) continue
        this.#count--
        entry.run()
      }
    }
  }

  #slot(tick: number): Set<Entry> {
    return this.#slots[tick % TIMER_WHEEL_SLOTS] as Set<Entry>
  }
}
