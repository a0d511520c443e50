import { Duplex } from 'node:stream'
import type { Http2Connection, Http2Stream } from '@ambit/http2'
import { ERROR_CODE } from '@ambit/http2'
import type { TunnelStream } from './engine.types.ts'
import { HboneResetError } from './errors.ts'
import { keepPiece, SMALL_PIECE_BYTES, type WaitingPiece } from './waiting-piece.ts'

type Done = (error?: Error | null) => void

/** What a stream needs of its session. */
export interface FramedCarrier {
  readonly connection: Http2Connection<FramedStream>
  /** Frames were written: have them on their way by the end of this turn of the loop. */
  touched(): void
  /** Calls as soon as the socket takes more: at once if it does. */
  whenFree(proceed: () => void): void
}

/** Data before it is taken counts against the windows of HTTP/2, not against this. */
const HIGH_WATER_BYTES: number = 256 * 1024

/** Payload of one stream of HTTP/2 as Node's streams have it. */
export class FramedStream extends Duplex implements TunnelStream {
  rstCode: number | undefined = undefined
  readonly #carrier: FramedCarrier
  #http2: Http2Stream<FramedStream> | undefined
  /** Came in small pieces behind what Node has for its reader, which would keep an object for each. */
  #behind: WaitingPiece[] = NONE
  #behindBytes = 0
  /** What `write` has left to send. */
  #pending: { readonly bytes: Buffer; at: number; readonly done: Done } | undefined

  constructor(carrier: FramedCarrier) {
    super({ allowHalfOpen: true, readableHighWaterMark: HIGH_WATER_BYTES, writableHighWaterMark: HIGH_WATER_BYTES })
    this.#carrier = carrier
  }

  /** The stream of HTTP/2, which is known a moment after this is made. */
  attach(http2: Http2Stream<FramedStream>): void {
    this.#http2 = http2
    http2.owner = this
  }

  received(bytes: Buffer): void {
    if (this.destroyed) return
    // Behind others it may wait long, and a small part of a read would keep all of that.
    if (this.readableLength > 0 && bytes.length <= Math.max(SMALL_PIECE_BYTES, bytes.buffer.byteLength / 4)) {
      if (this.#behind === NONE) this.#behind = []
      keepPiece(this.#behind, bytes, 0, bytes.length)
      this.#behindBytes += bytes.length
      return
    }
    this.#pushBehind()
    this.push(bytes)
    // What is read at once is given back at once; the rest in `_read`.
    this.#giveBack()
  }

  receivedEnd(): void {
    if (this.destroyed) return
    this.#pushBehind()
    this.push(null)
  }

  /** NO_ERROR and CANCEL are the end of what there is; the code stays to be asked for. */
  receivedReset(code: number): void {
    this.rstCode = code
    const pending = this.#pending
    this.#pending = undefined
    this.emit('aborted')
    if (code !== ERROR_CODE.noError && code !== ERROR_CODE.cancel) {
      this.destroy(new HboneResetError(code, `the peer reset the stream: HTTP/2 error code ${code}`))
      return
    }
    pending?.done()
    if (this.readableEnded || this.readableFlowing === null) {
      this.destroy()
      return
    }
    this.#pushBehind()
    this.push(null)
    this.once('end', () => this.destroy())
  }

  /** The connection is gone. */
  lost(error: Error | undefined): void {
    this.#http2 = undefined
    this.rstCode ??= ERROR_CODE.cancel
    this.destroy(error)
  }

  mayWrite(): void {
    const pending = this.#pending
    if (pending === undefined) return
    this.#pending = undefined
    this.#send(pending.bytes, pending.at, pending.done)
  }

  /** Node asks with 0 whether there is more to come; whoever reads asks for all, or for a number. */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    if (size === 0) return chunk
    this.#pushBehind()
    this.#giveBack()
    return chunk
  }

  override _read(): void {
    this.#giveBack()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, 0, done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    const [first] = chunks
    if (chunks.length === 1 && first !== undefined) this.#send(first.chunk, 0, done)
    else this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), 0, done)
  }

  override _final(done: Done): void {
    const http2 = this.#http2
    if (http2 !== undefined && !http2.closed) {
      this.#carrier.connection.write(http2, EMPTY, 0, 0, true)
      this.#carrier.touched()
    }
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    const http2 = this.#http2
    this.#http2 = undefined
    this.#behind = NONE
    if (http2 !== undefined && !http2.closed) {
      // Whoever cuts says so by an AbortError or none; anything else went wrong here.
      const code = error === null || error.name === 'AbortError' ? ERROR_CODE.cancel : ERROR_CODE.internalError
      this.rstCode ??= code
      this.#carrier.connection.reset(http2, code)
      this.#carrier.touched()
    } else if (http2 !== undefined) this.#carrier.connection.consume(http2, http2.unconsumed)
    const pending = this.#pending
    this.#pending = undefined
    pending?.done(error)
    done(error?.name === 'AbortError' ? null : error)
  }

  #send(bytes: Buffer, from: number, done: Done): void {
    const http2 = this.#http2
    // What is written to a stream that is gone is dropped: its reader has the code.
    if (http2 === undefined || http2.closed) {
      done()
      return
    }
    const { connection } = this.#carrier
    const sent = connection.write(http2, bytes, from, bytes.length, false)
    this.#carrier.touched()
    const at = from + sent
    if (at < bytes.length) this.#pending = { bytes, at, done }
    else this.#carrier.whenFree(done)
  }

  #pushBehind(): void {
    if (this.#behind === NONE) return
    const behind = this.#behind
    this.#behind = NONE
    for (const { bytes, end } of behind) {
      this.#behindBytes -= end
      if (!this.destroyed) this.push(bytes.subarray(0, end))
    }
  }

  #giveBack(): void {
    const http2 = this.#http2
    if (http2 === undefined) return
    const kept = this.readableLength + this.#behindBytes
    if (http2.unconsumed <= kept) return
    this.#carrier.connection.consume(http2, http2.unconsumed - kept)
    this.#carrier.touched()
  }
}

const EMPTY: Buffer = Buffer.alloc(0)
/** Of all streams whose bytes are read as they come. */
const NONE: WaitingPiece[] = []
