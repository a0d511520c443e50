import { MAX_WAITING_UPDATES } from '../limits.ts'

/** Between several that tell and one that reads: who tells waits while too much is unread. */
export class UpdateQueue<T> implements AsyncIterable<T> {
  readonly #max: number
  #items: T[] = []
  #ended = false
  #arrived = Promise.withResolvers<void>()
  #taken = Promise.withResolvers<void>()

  constructor(options: { readonly max?: number } = {}) {
    this.#max = options.max ?? MAX_WAITING_UPDATES
  }

  async push(item: T): Promise<void> {
    while (this.#items.length >= this.#max && !this.#ended) await this.#taken.promise
    if (this.#ended) return
    this.#items.push(item)
    this.#arrived.resolve()
  }

  /** What is unread is read yet; nothing more comes. */
  end(): void {
    this.#ended = true
    this.#arrived.resolve()
    this.#taken.resolve()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const items = this.#items
      this.#items = []
      this.#arrived = Promise.withResolvers<void>()
      this.#taken.resolve()
      this.#taken = Promise.withResolvers<void>()
      yield* items
      if (this.#items.length > 0) continue
      if (this.#ended) return
      await this.#arrived.promise
    }
  }
}
