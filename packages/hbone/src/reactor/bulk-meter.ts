import { BULK_BYTES, BULK_MS } from '../limits.ts'

/** Whether a copy moves so much that what shares a connection with it would wait behind its data. Bulk once, it stays so. */
export class BulkMeter {
  isBulk = false
  /** Bytes of one direction at which its speed is looked at, and when that was last. */
  #nextLook = BULK_BYTES
  #lookedMs: number

  constructor(nowMs: number) {
    this.#lookedMs = Math.floor(nowMs)
  }

  /** Whether it is time to look; apart from `look` because it is asked for each piece of data. */
  isDue(given: number): boolean {
    return given >= this.#nextLook && !this.isBulk
  }

  /** A direction has given so many bytes so far. */
  look(given: number, nowMs: number): void {
    this.isBulk ||= this.isDue(given) && nowMs - this.#lookedMs <= BULK_MS
    this.#nextLook = given + BULK_BYTES
    this.#lookedMs = Math.floor(nowMs)
  }
}
