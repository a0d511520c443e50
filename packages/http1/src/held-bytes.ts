import { CR, LF, TEXT } from './characters.ts'
import { Http1Error } from './errors.ts'

const FIRST_BYTES = 1024

/** A head, or trailers, that have not come whole: kept until they have, in memory that grows with them. */
export class HeldBytes {
  bytes: Buffer = NONE
  length = 0

  add(more: Buffer, from: number, to: number): void {
    const length = this.length + to - from
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(length))))
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    more.copy(this.bytes, this.length, from, to)
    this.length = length
  }

  clear(): void {
    this.bytes = NONE
    this.length = 0
  }
}

const NONE: Buffer = Buffer.alloc(0)

/**
 * Throws for what can not become lines whatever follows: waiting for their end would only keep the sender waiting. `from` is where what was
 * looked at before ends.
 */
export function checkLines(bytes: Uint8Array, start: number, from: number, to: number): void {
  let before = from > start ? bytes[from - 1] : undefined
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0
    if ((byte === LF) !== (before === CR)) throw new Http1Error('invalid-header', 'a bare CR or LF')
    if (TEXT[byte] !== 1 && byte !== LF && byte !== CR)
      throw new Http1Error('invalid-header', 'a character that no line has')
    before = byte
  }
}
