import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { cut } from '@ambit/hbone'
import type { HeaderList } from '@ambit/route'
import type { BodySource, BodyTarget } from './body.types.ts'
import type { Exchange, RequestHead, ResponseHead } from './exchange.types.ts'
import { headerObject, http2Lines } from './http2-headers.ts'
import { NodeSource, NodeTarget } from './node-body.ts'

/** One HTTP/2 request of a client. */
export class Http2Exchange implements Exchange {
  readonly head: RequestHead
  readonly body: BodySource
  readonly out: BodyTarget
  readonly #stream: ServerHttp2Stream
  readonly #requestTrailers: () => HeaderList
  #trailers: HeaderList = []
  #isGone = false

  constructor(stream: ServerHttp2Stream, head: RequestHead, requestTrailers: () => HeaderList) {
    this.#stream = stream
    this.head = head
    this.body = new NodeSource(stream)
    this.out = new NodeTarget(stream)
    this.#requestTrailers = requestTrailers
    stream.on('error', () => undefined)
    stream.once('aborted', () => {
      this.#isGone = true
    })
    stream.once('wantTrailers', () => stream.sendTrailers(headerObject(this.#trailers)))
  }

  get isGone(): boolean {
    return this.#isGone || this.#stream.destroyed
  }

  onGone(listener: () => void): void {
    const stream = this.#stream
    stream.once('aborted', listener)
    stream.once('close', () => {
      if (!stream.writableFinished) listener()
    })
  }

  requestTrailers(): HeaderList {
    return this.#requestTrailers()
  }

  wantBody(): void {}

  inform({ status, headers }: ResponseHead): void {
    const stream = this.#stream
    if (stream.headersSent || stream.destroyed || stream.closed) return
    // HTTP/2 has none (RFC 9113 §8.6).
    if (status === 101) return
    stream.additionalHeaders({ ...headerObject(http2Lines(headers)), ':status': status })
  }

  respond({ status, headers }: ResponseHead, { bodiless }: { readonly bodiless: boolean }): void {
    const stream = this.#stream
    if (stream.headersSent || stream.destroyed || stream.closed) return
    const lines = [':status', String(status), ...http2Lines(headers)]
    stream.respond(lines, { endStream: bodiless, waitForTrailers: !bodiless, sendDate: false } as object)
    if (bodiless && !stream.readableEnded) this.#stopClient()
  }

  end(trailers: HeaderList): void {
    this.#trailers = http2Lines(trailers)
    this.#stream.end()
  }

  reset(): void {
    cut(this.#stream)
  }

  /** What the client still sends has no reader: once it is answered it is told to stop, and that this was no failure (RFC 9113 §8.1). */
  #stopClient(): void {
    const stream = this.#stream
    stream.resume()
    stream.once('finish', () =>
      setImmediate(() => {
        if (!stream.readableEnded && !stream.destroyed && !stream.closed) stream.close(constants.NGHTTP2_NO_ERROR)
      }),
    )
  }

  upgraded({ status }: ResponseHead): Duplex {
    // Only CONNECT gets here, which HTTP/2 answers with 200 and the bytes.
    if (!this.#stream.headersSent) this.#stream.respond([':status', String(status)], { sendDate: false } as object)
    return this.#stream
  }
}
