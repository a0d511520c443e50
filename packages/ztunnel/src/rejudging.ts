import { TimeSlices } from '@ambit/core'
import { REJUDGING_SLICE_MS } from './limits.ts'

/** An open connection that can be asked again whether it may stay. */
export interface Judged {
  judgeAgain(): void
}

/**
 * The connections of all pods that wait to be judged again. The first are within the call, so that with few of them none outlives the change;
 * the others in pieces, each by what is in force when its turn comes.
 */
export class Rejudging {
  readonly #due = new Set<Judged>()
  #running = false

  add(entries: Iterable<Judged>): void {
    for (const entry of entries) this.#due.add(entry)
    if (this.#running || this.#due.size === 0) return
    this.#running = true
    void this.#run()
  }

  /** It has ended. */
  drop(entry: Judged): void {
    this.#due.delete(entry)
  }

  async #run(): Promise<void> {
    const slices = new TimeSlices(REJUDGING_SLICE_MS)
    try {
      for (const entry of this.#due) {
        this.#due.delete(entry)
        entry.judgeAgain()
        if (slices.isOver) await slices.next()
      }
    } finally {
      this.#running = false
    }
  }
}
