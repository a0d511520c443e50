import { Duplex } from 'node:stream'
import type { Http2Connection, Http2Stream } from '@ambit/http2'
import { ERROR_CODE } from '@ambit/http2'
import type { TunnelStream } from './engine.types.ts'
import { HboneResetError } from './errors.ts'

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
    const waits = this.readableLength > 0 && bytes.length < bytes.buffer.byteLength / 4
    this.push(waits ? Buffer.from(bytes) : bytes)
    // What is read at once is given back at once; the rest in `_read`.
    this.#giveBack()
  }

  receivedEnd(): void {
    if (!this.destroyed) this.push(null)
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

  #giveBack(): void {
    const http2 = this.#http2
    if (http2 === undefined) return
    const kept = this.readableLength
    if (http2.unconsumed <= kept) return
    this.#carrier.connection.consume(http2, http2.unconsumed - kept)
    this.#carrier.touched()
  }
}

const EMPTY: Buffer = Buffer.alloc(0)
