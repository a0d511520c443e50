import type { HeaderList } from '@ambit/route'
import { MAX_REPLAY_BYTES } from '../limits.ts'
import type { BodyTarget } from './body.types.ts'
import type { Exchange } from './exchange.types.ts'
import { keepPiece } from './kept-piece.ts'

/** Where a body goes to. */
export interface BodySink {
  readonly body: BodyTarget
  endBody(trailers: HeaderList): void
}

/** A copy on its way to a mirror: told everything, never waited for. */
export interface BodyCopy {
  write(chunk: Buffer): void
  end(trailers: HeaderList): void
  abort(): void
}

/**
 * The body of one request, read only as fast as the endpoint takes it. While it is short, what was read is kept, so that another
 * attempt can be sent the same.
 */
export class RequestBody {
  readonly #exchange: Exchange
  readonly #onBytes: (chunk: Buffer) => void
  readonly #copies = new Set<BodyCopy>()
  readonly #complete = Promise.withResolvers<void>()
  #kept: Buffer[] | undefined = []
  #keptBytes = 0
  #sink: BodySink | undefined
  #reading = false
  #ended = false
  #failed = false

  constructor(exchange: Exchange, onBytes: (chunk: Buffer) => void) {
    this.#exchange = exchange
    this.#onBytes = onBytes
    if (exchange.head.isBodiless) this.#finish()
  }

  /** Whatever an attempt was sent can be sent again. */
  get isRepeatable(): boolean {
    return this.#kept !== undefined && !this.#failed
  }

  get hasEnded(): boolean {
    return this.#ended
  }

  /** Resolves when the client has sent all of it. */
  get complete(): Promise<void> {
    return this.#complete.promise
  }

  /** Sends it all to the sink, from its beginning. The one before is left alone from now on. */
  sendTo(sink: BodySink): void {
    this.detach()
    this.#sink = sink
    if (this.#exchange.head.isBodiless) {
      sink.endBody([])
      return
    }
    const { body } = sink
    body.onDrain(() => {
      if (this.#sink === sink) this.#exchange.body.resume()
    })
    for (const chunk of this.#kept ?? []) body.write(chunk)
    if (this.#ended) sink.endBody(this.#exchange.requestTrailers())
    else if (!this.#reading) this.#read()
    else this.#exchange.body.resume()
  }

  /** No answer of this attempt matters any more. */
  detach(): void {
    this.#sink = undefined
    if (this.#reading && !this.#ended) this.#exchange.body.pause()
  }

  /** The answer is complete. What the client still sends is read over: its next request stands behind it. */
  discard(): void {
    this.detach()
    if (this.#reading) this.#exchange.body.discard()
  }

  /** Another attempt will not come: nothing needs to be kept. */
  forget(): void {
    this.#kept = undefined
  }

  copyTo(copy: BodyCopy): void {
    if (this.#exchange.head.isBodiless) copy.end([])
    else this.#copies.add(copy)
  }

  #read(): void {
    this.#reading = true
    this.#exchange.wantBody()
    this.#exchange.body.read({
      onData: (chunk) => this.#take(chunk),
      onEnd: () => this.#finish(),
      onFailure: () => {
        if (this.#ended) return
        this.#failed = true
        for (const copy of this.#copies) copy.abort()
        this.#copies.clear()
      },
    })
  }

  #take(chunk: Buffer): void {
    this.#onBytes(chunk)
    if (this.#kept !== undefined) {
      this.#keptBytes += chunk.length
      if (this.#keptBytes > MAX_REPLAY_BYTES) this.#kept = undefined
      else keepPiece(this.#kept, chunk)
    }
    for (const copy of this.#copies) copy.write(chunk)
    if (this.#sink?.body.write(chunk) === false) this.#exchange.body.pause()
  }

  #finish(): void {
    if (this.#ended || this.#failed) return
    this.#ended = true
    this.#complete.resolve()
    const trailers = this.#exchange.head.isBodiless ? [] : this.#exchange.requestTrailers()
    this.#sink?.endBody(trailers)
    for (const copy of this.#copies) copy.end(trailers)
    this.#copies.clear()
  }
}
