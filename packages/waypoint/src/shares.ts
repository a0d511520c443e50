/** Places that many take from, of which no single one may take more than its share. */
export class Shares<Key> {
  readonly #max: number
  readonly #maxOfOne: number
  readonly #taken = new Map<Key, number>()
  #size = 0

  constructor(max: number, shares: number) {
    this.#max = max
    this.#maxOfOne = Math.ceil(max / shares)
  }

  /** Why there is no place for it; undefined when it has one, which is to be given back by {@link leave}. */
  enter(key: Key): string | undefined {
    const own = this.#taken.get(key) ?? 0
    if (own >= this.#maxOfOne) return `${own} of one client are open already`
    if (this.#size >= this.#max) return `${this.#size} are open already`
    this.#taken.set(key, own + 1)
    this.#size++
    return undefined
  }

  leave(key: Key): void {
    const left = (this.#taken.get(key) ?? 1) - 1
    if (left === 0) this.#taken.delete(key)
    else this.#taken.set(key, left)
    this.#size--
  }
}
