import { CompressionError } from '../errors.ts'
import { DynamicTable, ENTRY_OVERHEAD_BYTES } from './dynamic-table.ts'
import { decodeHuffman } from './huffman.ts'
import { STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from './static-table.ts'

/** Names and values in turn, as they came. */
export type HeaderList = readonly string[]

/** Integers of five continuation bytes or more are larger than anything they could mean. */
const MAX_INTEGER_SHIFT = 28

/** Reads header blocks of one connection (RFC 7541); throws {@link CompressionError}, after which no further block can be read. */
export class HpackDecoder {
  readonly #table: DynamicTable
  readonly #maxTableBytes: number
  readonly #maxListBytes: number
  #block: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  /** `maxTableBytes` is what SETTINGS_HEADER_TABLE_SIZE told the peer. */
  constructor(options: { readonly maxTableBytes: number; readonly maxListBytes: number }) {
    this.#maxTableBytes = options.maxTableBytes
    this.#maxListBytes = options.maxListBytes
    this.#table = new DynamicTable(options.maxTableBytes)
  }

  /** Undefined for a list that is larger than allowed, counted as SETTINGS_MAX_HEADER_LIST_SIZE is; the table is as the peer thinks even then. */
  decode(block: Buffer, start: number, end: number): HeaderList | undefined {
    this.#block = block
    this.#at = start
    this.#end = end
    const list: string[] = []
    let bytes = 0
    let mayResize = true
    while (this.#at < this.#end) {
      const first = this.#block[this.#at] ?? 0
      if (first >= 0x20 && first < 0x40) {
        if (!mayResize) throw new CompressionError('the size of the header table changes within a header block')
        this.#resize(this.#integer(5))
        continue
      }
      mayResize = false
      let name: string
      let value: string
      if (first >= 0x80) {
        const index = this.#integer(7)
        name = this.#nameAt(index)
        value = this.#valueAt(index)
      } else {
        const keeps = first >= 0x40
        const index = this.#integer(keeps ? 6 : 4)
        name = index === 0 ? this.#text() : this.#nameAt(index)
        value = this.#text()
        if (keeps) this.#table.add(name, value)
      }
      bytes += name.length + value.length + ENTRY_OVERHEAD_BYTES
      if (bytes <= this.#maxListBytes) list.push(name, value)
    }
    return bytes <= this.#maxListBytes ? list : undefined
  }

  #resize(bytes: number): void {
    if (bytes > this.#maxTableBytes) {
      throw new CompressionError(`the peer wants a header table of ${bytes} bytes, allowed are ${this.#maxTableBytes}`)
    }
    this.#table.resize(bytes)
  }

  #nameAt(index: number): string {
    const name = index <= STATIC_LENGTH ? STATIC_NAMES[index] : this.#table.name(index - STATIC_LENGTH - 1)
    if (name === undefined || index === 0) throw new CompressionError(`a header has index ${index}, which names none`)
    return name
  }

  #valueAt(index: number): string {
    return (index <= STATIC_LENGTH ? STATIC_VALUES[index] : this.#table.value(index - STATIC_LENGTH - 1)) ?? ''
  }

  /** RFC 7541 §5.1. */
  #integer(prefixBits: number): number {
    const full = (1 << prefixBits) - 1
    let value = this.#byte() & full
    if (value < full) return value
    for (let shift = 0; ; shift += 7) {
      if (shift >= MAX_INTEGER_SHIFT) throw new CompressionError('an integer in a header block is too large')
      const byte = this.#byte()
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }

  #text(): string {
    const isHuffman = ((this.#block[this.#at] ?? 0) & 0x80) !== 0
    const length = this.#integer(7)
    const start = this.#at
    const end = start + length
    if (end > this.#end) throw new CompressionError('a string in a header block is longer than the block')
    this.#at = end
    return isHuffman ? decodeHuffman(this.#block, start, end) : this.#block.toString('latin1', start, end)
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new CompressionError('a header block ends within a header')
    return this.#block[this.#at++] ?? 0
  }
}
