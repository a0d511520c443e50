import { MAX_IO_VECTORS } from '../limits.ts'
import { type Ffi, nativeBytes } from './native.ts'

const HALF = 0x1_0000_0000

/** An address as two numbers, so that offsets are added without a BigInt. */
export interface Address {
  readonly low: number
  readonly high: number
}

export function addressOf(pointer: bigint): Address {
  return { low: Number(pointer & 0xffffffffn), high: Number(pointer >> 32n) }
}

/** An array of struct iovec, of 64-bit machines with the lower half first. */
export class IoVectors {
  readonly pointer: bigint
  readonly #words: Uint32Array
  count = 0
  /** Of all of them, bytes. */
  length = 0

  constructor(ffi: Ffi) {
    const { bytes, pointer } = nativeBytes(ffi, MAX_IO_VECTORS * 16)
    this.pointer = pointer
    this.#words = new Uint32Array(bytes.buffer)
  }

  get isFull(): boolean {
    return this.count === MAX_IO_VECTORS
  }

  clear(): void {
    this.count = 0
    this.length = 0
  }

  add(base: Address, offset: number, length: number): void {
    const words = this.#words
    const at = this.count * 4
    const low = base.low + offset
    words[at] = low
    words[at + 1] = base.high + (low >= HALF ? 1 : 0)
    words[at + 2] = length
    words[at + 3] = 0
    this.count++
    this.length += length
  }

  /** Copies what lies behind the first `skip` bytes, of vectors that all lie in `bytes`, which begins at `base`. */
  rest(bytes: Buffer, base: Address, skip: number): Buffer {
    const rest = Buffer.allocUnsafeSlow(this.length - skip)
    let [left, to] = [skip, 0]
    for (let index = 0; index < this.count; index++) {
      const length = this.#words[index * 4 + 2] as number
      if (left >= length) {
        left -= length
        continue
      }
      // Unsigned difference of the lower halves: right also where the sum carried over.
      const from = ((this.#words[index * 4] as number) - base.low) >>> 0
      to += bytes.copy(rest, to, from + left, from + length)
      left = 0
    }
    return rest
  }
}
