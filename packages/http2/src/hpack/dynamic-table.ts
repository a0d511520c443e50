/** What RFC 7541 §4.1 adds to the lengths of name and value. */
export const ENTRY_OVERHEAD_BYTES = 32

/** Entries in the order they came, evicted oldest first (RFC 7541 §2.3.2). Index 0 is the newest. */
export class DynamicTable {
  #names: string[] = []
  #values: string[] = []
  /** Where the oldest entry is; what is before it was evicted. */
  #first = 0
  #bytes = 0
  #maxBytes: number

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#names.length - this.#first
  }

  /** Entries that were ever added: an entry's lasting number is this when it is added. */
  added = 0

  name(index: number): string | undefined {
    return this.#names[this.#names.length - 1 - index]
  }

  value(index: number): string | undefined {
    return this.#values[this.#values.length - 1 - index]
  }

  /** Answers whether it was kept: one larger than the table empties it instead (RFC 7541 §4.4). */
  add(name: string, value: string): boolean {
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES
    this.#evict(this.#maxBytes - bytes)
    if (bytes > this.#maxBytes) return false
    this.#names.push(name)
    this.#values.push(value)
    this.#bytes += bytes
    this.added++
    return true
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#evict(maxBytes)
  }

  #evict(to: number): void {
    while (this.#bytes > to && this.length > 0) {
      const [name = '', value = ''] = [this.#names[this.#first], this.#values[this.#first]]
      this.#bytes -= name.length + value.length + ENTRY_OVERHEAD_BYTES
      this.#names[this.#first] = ''
      this.#values[this.#first] = ''
      this.#first++
    }
    // Dropped in bulk, so that an eviction costs nothing on average.
    if (this.#first > 64 && this.#first * 2 > this.#names.length) {
      this.#names = this.#names.slice(this.#first)
      this.#values = this.#values.slice(this.#first)
      this.#first = 0
    }
  }
}
