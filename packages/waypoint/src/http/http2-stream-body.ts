import type { HeaderList, Http2Stream } from '@ambit/http2'
import type { BodyReader, BodySource, BodyTarget } from './body.types.ts'
import { headerOf } from './headers.ts'
import type { Http2Carrier } from './http2-carrier.ts'
import { keepPiece } from './kept-piece.ts'

/** Whose a stream is: what its connection tells it. */
export interface Http2Owner {
  onHeaders(headers: HeaderList, isEnd: boolean): void
  onData(chunk: Buffer): void
  onEnd(): void
  onReset(code: number): void
  onWritable(): void
  /** The connection is gone. */
  onLost(error: Error | undefined): void
}

export type Stream = Http2Stream<Http2Owner>

const EMPTY: Buffer = Buffer.alloc(0)

/**
 * Both bodies of one HTTP/2 stream. What comes and is not read yet counts against the stream's window, so that its sender waits; what does
 * not fit into the peer's is kept here, and whoever writes is told to wait.
 */
export class Http2StreamBody implements BodySource, BodyTarget {
  readonly #carrier: Http2Carrier
  readonly #stream: Stream
  #reader: BodyReader | undefined
  #isPaused = false
  #isDiscarded = false
  #isReading = false
  /** Came, and was not taken. */
  #waiting: Buffer[] = []
  /** By Content-Length; undefined where none was said. */
  #expected: number | undefined
  #hasEnded = false
  #hasFailed = false
  #failure: Error | undefined
  #pending: Buffer[] = []
  #pendingBytes = 0
  /** What ends it, once all is sent. */
  #endWith: HeaderList | undefined
  #isOver = false
  #drain: (() => void) | undefined

  constructor(carrier: Http2Carrier, stream: Stream) {
    this.#carrier = carrier
    this.#stream = stream
  }

  /** All of the incoming body has come, though perhaps not been read. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get backlog(): number {
    return this.#pendingBytes
  }

  /** The length the head promises, or why that is none. */
  expect(headers: HeaderList): boolean {
    const length = headerOf(headers, 'content-length')
    if (length === undefined) return true
    this.#expected = Number(length)
    return /^\d{1,15}$/.test(length)
  }

  read(reader: BodyReader): void {
    this.#reader = reader
    this.#deliver()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#deliver()
  }

  discard(): void {
    this.#isDiscarded = true
    this.#reader = undefined
    this.#deliver()
  }

  write(chunk: Buffer): boolean {
    if (this.#isOver || this.#endWith !== undefined || this.#stream.closed || chunk.length === 0) return true
    if (this.#pendingBytes === 0) {
      const sent = this.#carrier.connection.write(this.#stream, chunk, 0, chunk.length, false)
      this.#carrier.touched()
      if (sent < chunk.length) this.#keep(chunk.subarray(sent))
    } else this.#keep(chunk)
    if (this.#pendingBytes > 0) return false
    if (!this.#carrier.isBlocked) return true
    this.#carrier.whenFree(this.#onFree)
    return false
  }

  onDrain(listener: () => void): void {
    this.#drain = listener
  }

  /** Ends the outgoing body, when all of it is sent. */
  end(trailers: HeaderList): void {
    if (this.#isOver || this.#endWith !== undefined) return
    this.#endWith = trailers
    if (this.#pendingBytes === 0) this.#finish()
  }

  /** By the owner: more of the incoming body. False when it is not as long as its head says. */
  onData(chunk: Buffer): boolean {
    if (this.#expected !== undefined) {
      this.#expected -= chunk.length
      if (this.#expected < 0) return false
    }
    if (this.#reader !== undefined && !this.#isPaused && this.#waiting.length === 0) {
      this.#take(this.#reader, chunk)
    } else if (this.#isDiscarded) this.#giveBack(chunk.length)
    else keepPiece(this.#waiting, chunk)
    return true
  }

  onEnd(): boolean {
    if (this.#expected !== undefined && this.#expected > 0) return false
    this.#hasEnded = true
    this.#deliver()
    return true
  }

  onWritable(): void {
    while (this.#pendingBytes > 0) {
      const [chunk] = this.#pending
      if (chunk === undefined) break
      const sent = this.#carrier.connection.write(this.#stream, chunk, 0, chunk.length, false)
      this.#pendingBytes -= sent
      if (sent === chunk.length) this.#pending.shift()
      else {
        this.#pending[0] = chunk.subarray(sent)
        break
      }
    }
    this.#carrier.touched()
    if (this.#pendingBytes > 0) return
    if (this.#endWith !== undefined) this.#finish()
    else this.#carrier.whenFree(this.#onFree)
  }

  /** Nothing comes or goes any more. */
  fail(error: Error | undefined): void {
    this.#isOver = true
    this.#pending = []
    this.#pendingBytes = 0
    if (this.#hasEnded || this.#hasFailed) return
    this.#hasFailed = true
    this.#failure = error
    this.#waiting = []
    this.#reader?.onFailure(error)
  }

  readonly #onFree = (): void => {
    if (!this.#isOver && this.#pendingBytes === 0) this.#drain?.()
  }

  #keep(chunk: Buffer): void {
    keepPiece(this.#pending, chunk)
    this.#pendingBytes += chunk.length
  }

  #finish(): void {
    const trailers = this.#endWith ?? []
    this.#isOver = true
    if (this.#stream.closed) return
    const { connection } = this.#carrier
    if (trailers.length > 0) connection.respond(this.#stream, trailers, true)
    else connection.write(this.#stream, EMPTY, 0, 0, true)
    this.#carrier.touched()
  }

  #deliver(): void {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#waiting.length > 0 && (this.#isDiscarded || (this.#reader !== undefined && !this.#isPaused))) {
      const chunk = this.#waiting.shift()
      if (chunk === undefined) break
      if (this.#reader === undefined) this.#giveBack(chunk.length)
      else this.#take(this.#reader, chunk)
    }
    this.#isReading = false
    const reader = this.#reader
    if (reader === undefined || this.#waiting.length > 0) return
    if (this.#hasEnded) {
      this.#reader = undefined
      reader.onEnd()
    } else if (this.#hasFailed) {
      this.#reader = undefined
      reader.onFailure(this.#failure)
    }
  }

  #take(reader: BodyReader, chunk: Buffer): void {
    this.#giveBack(chunk.length)
    reader.onData(chunk)
  }

  #giveBack(bytes: number): void {
    this.#carrier.connection.consume(this.#stream, bytes)
    this.#carrier.touched()
  }
}
