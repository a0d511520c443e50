import type { Flush } from './connection.types.ts'
import { FLAG, FRAME, FRAME_HEADER_BYTES } from './frame-type.ts'
import type { SlabPool } from './slab-pool.ts'

const NOTHING: Buffer = Buffer.alloc(0)

/** Gathers frames in a slab and hands it on when it is full or when told to. */
export class FrameWriter {
  readonly #pool: SlabPool
  readonly #flush: Flush
  /** Where the last `frame` was written. */
  slab: Buffer = NOTHING
  #length = 0

  constructor(pool: SlabPool, flush: Flush) {
    this.#pool = pool
    this.#flush = flush
  }

  /** Bytes that wait for `flush`. */
  get waiting(): number {
    return this.#length
  }

  /** Payload that the slab has room for beside the header of one more frame. */
  get room(): number {
    if (this.slab === NOTHING) this.slab = this.#pool.take()
    return this.slab.length - this.#length - FRAME_HEADER_BYTES
  }

  flush(): void {
    const { slab } = this
    const length = this.#length
    if (length === 0) return
    this.slab = NOTHING
    this.#length = 0
    this.#flush(slab, length)
  }

  /** Gives back what was not flushed. */
  discard(): void {
    if (this.slab !== NOTHING) this.#pool.release(this.slab)
    this.slab = NOTHING
    this.#length = 0
  }

  /** Writes a frame's header; answers where in `slab` its payload of `length` bytes goes. */
  frame(length: number, type: number, flags: number, streamId: number): number {
    if (length > this.room && this.#length > 0) this.flush()
    if (length > this.room) {
      this.discard()
      this.slab = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + length)
    }
    const { slab } = this
    const at = this.#length
    slab[at] = length >>> 16
    slab[at + 1] = length >>> 8
    slab[at + 2] = length
    slab[at + 3] = type
    slab[at + 4] = flags
    slab[at + 5] = streamId >>> 24
    slab[at + 6] = streamId >>> 16
    slab[at + 7] = streamId >>> 8
    slab[at + 8] = streamId
    this.#length = at + FRAME_HEADER_BYTES + length
    return at + FRAME_HEADER_BYTES
  }

  /** A frame with a payload of four bytes: RST_STREAM, WINDOW_UPDATE. */
  word(type: number, streamId: number, value: number): void {
    const at = this.frame(4, type, 0, streamId)
    this.slab.writeUInt32BE(value, at)
  }

  /** Bytes that are no frame: the client's preface. */
  raw(bytes: Buffer): void {
    if (bytes.length > this.room) this.flush()
    if (this.slab === NOTHING) this.slab = this.#pool.take()
    bytes.copy(this.slab, this.#length)
    this.#length += bytes.length
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    let at = this.frame(pairs.length * 6, FRAME.settings, 0, 0)
    for (const [id, value] of pairs) {
      this.slab.writeUInt16BE(id, at)
      this.slab.writeUInt32BE(value, at + 2)
      at += 6
    }
  }

  /** A header block, in as many frames as it takes. */
  headers(streamId: number, block: Buffer, isEnd: boolean, maxFrameBytes: number): void {
    let type: number = FRAME.headers
    for (let at = 0; at === 0 || at < block.length; at += maxFrameBytes) {
      const part = block.subarray(at, at + maxFrameBytes)
      const isLast = at + maxFrameBytes >= block.length
      const flags = (isLast ? FLAG.endHeaders : 0) | (isEnd && type === FRAME.headers ? FLAG.endStream : 0)
      const to = this.frame(part.length, type, flags, streamId)
      part.copy(this.slab, to)
      type = FRAME.continuation
    }
  }

  ping(high: number, low: number, flags: number): void {
    const at = this.frame(8, FRAME.ping, flags, 0)
    this.slab.writeUInt32BE(high, at)
    this.slab.writeUInt32BE(low, at + 4)
  }

  goaway(lastStreamId: number, errorCode: number): void {
    const at = this.frame(8, FRAME.goaway, 0, 0)
    this.slab.writeUInt32BE(lastStreamId, at)
    this.slab.writeUInt32BE(errorCode, at + 4)
  }
}
