import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { MAX_SPARE_SLABS, READ_SLAB_BYTES, SMALL_READ_BYTES } from './limits.ts'

/** Takes what was read; false to be read no further until `resume()`. Calls `written` when the chunk is used no more. */
export type TakeChunk = (chunk: Buffer, written?: (error?: Error | null) => void) => boolean

/** What of a socket Node keeps to itself: where to read to, and whom to tell. */
interface SocketInternals {
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null
  [key: symbol]: unknown
}

/**
 * Memory that sockets are read into. Node allocates 64 KiB for each read; at gigabits per second collecting them takes a
 * third of the sender's time. Here every socket is read into one buffer, from which the bytes are copied at once: small
 * ones into Node's pool, large ones into a slab that comes back when it is written. An idle socket holds nothing.
 *
 * Node offers this (`onread`) only for sockets it connects itself, so for accepted ones its internals are set. Where they
 * are not as expected, reads are Node's own.
 */
export class ReadSlabs {
  readonly #arrival: Buffer = Buffer.allocUnsafeSlow(READ_SLAB_BYTES)
  readonly #spare: Buffer[] = []
  readonly #keys = internalKeys()

  /** Slabs that wait to be used again. */
  get spareCount(): number {
    return this.#spare.length
  }

  /** Reads the socket this way from now on; false if it can't be. What it has buffered still comes as 'data'. */
  attach(stream: Duplex, take: TakeChunk): boolean {
    if (this.#keys === undefined || !(stream instanceof Socket) || stream instanceof TLSSocket) return false
    const socket = stream as unknown as SocketInternals
    const handle = socket._handle
    if (typeof handle?.useUserBuffer !== 'function') return false
    handle.useUserBuffer(this.#arrival)
    socket[this.#keys.buffer] = this.#arrival
    socket[this.#keys.callback] = (length: number): boolean => this.#arrived(length, take)
    return true
  }

  #arrived(length: number, take: TakeChunk): boolean {
    if (length <= SMALL_READ_BYTES) return take(Buffer.from(this.#arrival.subarray(0, length)))
    const slab = this.#spare.pop() ?? Buffer.allocUnsafeSlow(READ_SLAB_BYTES)
    this.#arrival.copy(slab, 0, 0, length)
    return take(slab.subarray(0, length), (error) => {
      // After a failed write it is not certain that nobody looks at it any more.
      if ((error === undefined || error === null) && this.#spare.length < MAX_SPARE_SLABS) this.#spare.push(slab)
    })
  }
}

function internalKeys(): { readonly buffer: symbol; readonly callback: symbol } | undefined {
  const symbols = Object.getOwnPropertySymbols(new Socket())
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name)
  const buffer = named('kBuffer')
  const callback = named('kBufferCb')
  return buffer === undefined || callback === undefined ? undefined : { buffer, callback }
}
