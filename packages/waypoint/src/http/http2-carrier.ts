import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { cut } from '@ambit/hbone'
import { type ConnectionBudgets, ERROR_CODE, Http2Connection, type Http2ConnectionError, SlabPool } from '@ambit/http2'
import {
  BODY_BUFFER_BYTES,
  HTTP2_CONNECTION_WINDOW_BYTES,
  HTTP2_SLAB_BYTES,
  HTTP2_SPARE_SLABS,
  HTTP2_STREAM_WINDOW_BYTES,
  HTTP2_UNWRITTEN_PIECES,
  MAX_HEADER_BYTES,
} from '../limits.ts'
import type { Http2Owner, Stream } from './http2-stream-body.ts'
import { lingeringEnd } from './lingering-end.ts'

/** Shared by all connections of the process. */
const slabs = new SlabPool({ slabBytes: HTTP2_SLAB_BYTES, maxSpare: HTTP2_SPARE_SLABS })

export interface Http2CarrierOptions {
  readonly role: 'client' | 'server'
  readonly maxConcurrentStreams?: number | undefined
  readonly budgets?: ConnectionBudgets | undefined
}

export interface Http2CarrierEvents {
  /** A stream of the peer's, to be given an owner. */
  readonly onStream?: ((stream: Stream, headers: readonly string[], isEnd: boolean) => void) | undefined
  /** A stream is over; how many are open is known. */
  readonly onStreamOver?: (() => void) | undefined
  readonly onGoaway?: (() => void) | undefined
  readonly onFailure?: ((error: Http2ConnectionError) => void) | undefined
  readonly onClosed: () => void
}

/** One connection of HTTP/2 over a stream of bytes: its framing is `@ambit/http2`, and what is written in one turn of the loop leaves together. */
export class Http2Carrier {
  readonly stream: Duplex
  readonly connection: Http2Connection<Http2Owner>
  readonly #clock: Clock
  readonly #events: Http2CarrierEvents
  #isDue = false
  #isOver = false
  /** No stream is opened any more, and the connection ends with its last. */
  #isClosing = false
  #blocked: (() => void)[] | undefined
  /** Pieces of output that wait to be sent. */
  #unwritten = 0
  #failure: Error | undefined

  constructor(
    components: { readonly stream: Duplex; readonly clock: Clock },
    { role, maxConcurrentStreams, budgets }: Http2CarrierOptions,
    events: Http2CarrierEvents,
  ) {
    const { stream, clock } = components
    this.stream = stream
    this.#clock = clock
    this.#events = events
    this.connection = new Http2Connection<Http2Owner>(
      {
        slabs,
        flush: (slab, length) => this.#write(slab, length),
        handler: {
          onHeaders: (each, headers, isEnd) => {
            if (each.owner === undefined) this.#events.onStream?.(each, headers, isEnd)
            else each.owner.onHeaders(headers, isEnd)
          },
          onData: (each, bytes, start, end) => {
            if (each.owner === undefined) this.connection.consume(each, end - start)
            else each.owner.onData(bytes.subarray(start, end))
          },
          onEnd: (each) => {
            each.owner?.onEnd()
            if (each.closed) this.#streamOver()
          },
          onReset: (each, code) => {
            each.owner?.onReset(code)
            this.#streamOver()
          },
          onWritable: (each) => each.owner?.onWritable(),
          onSettings: () => undefined,
          onPong: () => undefined,
          onGoaway: () => {
            this.#events.onGoaway?.()
            this.endIfIdle()
          },
          onFailure: (error) => {
            this.#failure = error
            this.connection.flush()
            this.#events.onFailure?.(error)
            stream.end()
            // What it still sends is not even read over.
            setImmediate(() => cut(stream))
            this.#gone()
          },
        },
      },
      {
        role,
        settings: {
          ...(maxConcurrentStreams !== undefined && { maxConcurrentStreams }),
          initialWindowBytes: HTTP2_STREAM_WINDOW_BYTES,
          maxHeaderListBytes: MAX_HEADER_BYTES,
        },
        windowBytes: HTTP2_CONNECTION_WINDOW_BYTES,
        now: () => clock.monotonic(),
        budgets,
      },
    )
    stream.on('data', this.#onData)
    stream.on('error', (error: Error) => {
      this.#failure ??= error
    })
    // A connection of HTTP/2 is of no use half open.
    stream.on('end', () => this.cut())
    stream.on('aborted', () => this.cut())
    stream.on('close', () => this.#gone())
    this.touched()
    if (stream.destroyed) queueMicrotask(() => this.#gone())
    else if (stream.readableEnded) queueMicrotask(() => this.cut())
    else stream.resume()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether a request may be opened. */
  get isUsable(): boolean {
    return !this.#isOver && !this.#isClosing && this.connection.canOpen
  }

  /** The stream of bytes takes no more for now. */
  get isBlocked(): boolean {
    return this.#blocked !== undefined
  }

  /** Frames were written: they leave by the end of this turn of the loop. */
  touched(): void {
    if (this.#isDue || this.#isOver) return
    this.#isDue = true
    setImmediate(this.#flushLater)
  }

  /** Calls as soon as the stream takes more: at once if it does. */
  whenFree(proceed: () => void): void {
    if (this.#blocked === undefined) proceed()
    else if (!this.#blocked.includes(proceed)) this.#blocked.push(proceed)
  }

  /** RST_STREAM, unless it is over already. */
  reset(stream: Stream, code: number): void {
    if (stream.closed || this.#isOver) return
    this.connection.reset(stream, code)
    this.touched()
    this.#streamOver()
  }

  /** The same for what the peer did wrong; from a handler's call alone. */
  blame(stream: Stream, code: number): void {
    if (stream.closed || this.#isOver) return
    this.connection.blame(stream, code)
    this.touched()
    this.#streamOver()
  }

  after(ms: number, callback: () => void): Disposable {
    return this.#clock.after(ms, callback)
  }

  /** Our side of the stream has ended; perhaps both. */
  settle(stream: Stream): void {
    if (stream.closed) this.#streamOver()
  }

  /** GOAWAY; the connection ends with its last stream. */
  close(): void {
    if (this.#isOver || this.#isClosing) return
    this.#isClosing = true
    this.connection.goaway(ERROR_CODE.noError, this.connection.highestPeerStream)
    this.touched()
    this.endIfIdle()
  }

  endIfIdle(): void {
    if (!this.#isClosing || this.#isOver || this.connection.streamCount > 0) return
    this.connection.flush()
    lingeringEnd(this.stream, this.#clock)
  }

  cut(): void {
    if (this.#isOver) return
    cut(this.stream)
    this.#gone()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver) return
    this.connection.receive(chunk)
    this.touched()
  }

  readonly #flushLater = (): void => {
    this.#isDue = false
    if (!this.#isOver) this.connection.flush()
  }

  #streamOver(): void {
    this.#events.onStreamOver?.()
    this.endIfIdle()
  }

  #write(slab: Buffer, length: number): void {
    const { stream } = this
    if (stream.destroyed || stream.writableEnded) {
      slabs.release(slab)
      return
    }
    // What waits behind others may wait long: little of it must not keep a whole slab.
    if (stream.writableLength > 0 && length < slab.length / 4) {
      stream.write(Buffer.from(slab.subarray(0, length)), this.#onWritten)
      slabs.release(slab)
    } else {
      stream.write(slab.subarray(0, length), () => {
        slabs.release(slab)
        this.#onWritten()
      })
    }
    this.#unwritten++
    if (stream.writableLength < BODY_BUFFER_BYTES && this.#unwritten < HTTP2_UNWRITTEN_PIECES) this.connection.drained()
    else if (this.#blocked === undefined && stream.writableLength >= BODY_BUFFER_BYTES) {
      this.#blocked = []
      stream.once('drain', () => this.#free())
    }
  }

  readonly #onWritten = (): void => {
    this.#unwritten--
  }

  #free(): void {
    const waiting = this.#blocked ?? []
    this.#blocked = undefined
    this.connection.drained()
    for (const proceed of waiting) proceed()
  }

  #gone(): void {
    if (this.#isOver) return
    this.#isOver = true
    const { streams } = this.connection
    this.connection.discard()
    for (const { owner } of streams) owner?.onLost(this.#failure)
    this.#events.onClosed()
  }
}
