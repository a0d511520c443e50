/** How long work may hold the event loop at a stretch. */
const SLICE_MS = 10

/** For long runs of writes that never wait for anything: lets others have their turn of the event loop now and then. */
export class Breath {
  #turnBeganMs = 0
  #watching = false

  /** Resolves at once, or in the next turn when this one has been long. */
  async take(): Promise<void> {
    if (!this.#watching) {
      this.#watching = true
      this.#turnBeganMs = performance.now()
      // The turn is over when this is called.
      setImmediate(() => (this.#watching = false))
    }
    if (performance.now() - this.#turnBeganMs < SLICE_MS) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}
