/** Work in pieces between which the event loop turns, so that nobody waits long for it. */
export class TimeSlices {
  readonly #ms: number
  #endMs: number

  constructor(ms: number) {
    this.#ms = ms
    this.#endMs = performance.now() + ms
  }

  /** True when the time of this piece is used up: `next` is to be awaited. */
  get isOver(): boolean {
    return performance.now() >= this.#endMs
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#endMs = performance.now() + this.#ms
  }
}
