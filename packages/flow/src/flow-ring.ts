import type { Flow } from './flow.types.ts'

/** The newest flows, oldest first. */
export class FlowRing implements Iterable<Flow> {
  readonly #max: number
  readonly #flows: Flow[] = []
  /** Where the oldest is, once it is full. */
  #oldest = 0

  constructor(max: number) {
    this.#max = max
  }

  add(flow: Flow): void {
    if (this.#flows.length < this.#max) {
      this.#flows.push(flow)
      return
    }
    this.#flows[this.#oldest] = flow
    this.#oldest = (this.#oldest + 1) % this.#max
  }

  *[Symbol.iterator](): IterableIterator<Flow> {
    yield* this.#flows.slice(this.#oldest)
    yield* this.#flows.slice(0, this.#oldest)
  }
}
