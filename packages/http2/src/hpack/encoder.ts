import { HEADER_TABLE_BYTES } from '../limits.ts'
import type { HeaderList } from './decoder.ts'
import { DynamicTable, ENTRY_OVERHEAD_BYTES } from './dynamic-table.ts'
import { encodeHuffman, huffmanLength } from './huffman.ts'
import { STATIC_LENGTH, STATIC_NAME_INDEX, STATIC_PAIRS } from './static-table.ts'

/** Secrets: no table keeps them, here or at a proxy behind the peer (RFC 7541 §7.1.3). */
const NEVER_INDEXED: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

/** Different in nearly every message: in the table they would only push out what comes again. */
const NOT_WORTH_IT: ReadonlySet<string> = new Set([
  ...[
    'content-length',
    'date',
    'age',
    'etag',
    'expires',
    'last-modified',
    'location',
    'range',
    'content-range',
    'if-none-match',
  ],
  ...[
    'if-modified-since',
    ':path',
    'x-request-id',
    'traceparent',
    'tracestate',
    'x-b3-spanid',
    'x-b3-traceid',
    'b3',
    'forwarded',
  ],
])

const INDEXED = 0x80
const KEPT = 0x40
const RESIZED = 0x20
const NEVER = 0x10
const HUFFMAN = 0x80

/** Writes header blocks of one connection (RFC 7541). */
export class HpackEncoder {
  readonly #table = new DynamicTable(HEADER_TABLE_BYTES)
  /** Lasting numbers of entries by `name\0value` and by name; those of evicted ones are told by their number. */
  readonly #pairs = new Map<string, number>()
  readonly #names = new Map<string, number>()
  #maxTableBytes = HEADER_TABLE_BYTES
  #resizeTo: number | undefined
  #into: Buffer = Buffer.allocUnsafeSlow(1024)
  #at = 0

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; a larger table than the default is not used. */
  limitTable(bytes: number): void {
    const to = Math.min(bytes, HEADER_TABLE_BYTES)
    if (to === this.#maxTableBytes) return
    this.#maxTableBytes = to
    this.#resizeTo = Math.min(this.#resizeTo ?? to, to)
    this.#table.resize(to)
    this.#forgetEvicted()
  }

  /** The block, valid until the next call. */
  encode(headers: HeaderList): Buffer {
    this.#at = 0
    if (this.#resizeTo !== undefined) {
      this.#room(12)
      // The smallest size it had since the last block, then the present one (RFC 7541 §4.2).
      if (this.#resizeTo < this.#maxTableBytes) this.#integer(RESIZED, 5, this.#resizeTo)
      this.#integer(RESIZED, 5, this.#maxTableBytes)
      this.#resizeTo = undefined
    }
    for (let i = 0; i + 1 < headers.length; i += 2) this.#header(headers[i] ?? '', headers[i + 1] ?? '')
    return this.#into.subarray(0, this.#at)
  }

  #header(name: string, value: string): void {
    this.#room(name.length * 4 + value.length * 4 + 16)
    if (NEVER_INDEXED.has(name)) {
      this.#literal(NEVER, 4, name, value)
      return
    }
    const pair = `${name}\0${value}`
    const index = STATIC_PAIRS.get(pair) ?? this.#dynamicIndex(this.#pairs.get(pair))
    if (index !== undefined) {
      this.#integer(INDEXED, 7, index)
      return
    }
    const isLarge = name.length + value.length + ENTRY_OVERHEAD_BYTES > this.#maxTableBytes / 2
    if (NOT_WORTH_IT.has(name) || isLarge) {
      this.#literal(0, 4, name, value)
      return
    }
    this.#literal(KEPT, 6, name, value)
    if (!this.#table.add(name, value)) return
    this.#pairs.set(pair, this.#table.added)
    this.#names.set(name, this.#table.added)
    if (this.#pairs.size > this.#table.length * 2 + 64) this.#forgetEvicted()
  }

  #literal(kind: number, prefixBits: number, name: string, value: string): void {
    const index = STATIC_NAME_INDEX.get(name) ?? this.#dynamicIndex(this.#names.get(name)) ?? 0
    this.#integer(kind, prefixBits, index)
    if (index === 0) this.#text(name)
    this.#text(value)
  }

  #dynamicIndex(number: number | undefined): number | undefined {
    if (number === undefined) return undefined
    const age = this.#table.added - number
    return age < this.#table.length ? STATIC_LENGTH + 1 + age : undefined
  }

  #forgetEvicted(): void {
    const oldest = this.#table.added - this.#table.length
    for (const map of [this.#pairs, this.#names]) {
      for (const [key, number] of map) if (number <= oldest) map.delete(key)
    }
  }

  #text(text: string): void {
    const coded = huffmanLength(text)
    if (coded < text.length) {
      this.#integer(HUFFMAN, 7, coded)
      this.#at = encodeHuffman(text, this.#into, this.#at)
    } else {
      this.#integer(0, 7, text.length)
      this.#at += this.#into.write(text, this.#at, 'latin1')
    }
  }

  #integer(kind: number, prefixBits: number, value: number): void {
    const full = (1 << prefixBits) - 1
    if (value < full) {
      this.#into[this.#at++] = kind | value
      return
    }
    this.#into[this.#at++] = kind | full
    let left = value - full
    while (left >= 128) {
      this.#into[this.#at++] = (left % 128) | 128
      left = Math.floor(left / 128)
    }
    this.#into[this.#at++] = left
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#into.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#into.length * 2, this.#at + bytes))
    this.#into.copy(larger, 0, 0, this.#at)
    this.#into = larger
  }
}
