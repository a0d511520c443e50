import type { Duplex } from 'node:stream'
import { ERROR_CODE } from '@ambit/http2'
import type { HeaderList } from '@ambit/route'
import { REQUEST_REST_TIMEOUT_MS } from '../limits.ts'
import type { BodySource, BodyTarget } from './body.types.ts'
import type { Exchange, RequestHead, ResponseHead } from './exchange.types.ts'
import { answerLines, trailerLines } from './headers.ts'
import type { Http2Carrier } from './http2-carrier.ts'
import { http2Lines } from './http2-headers.ts'
import type { Http2Owner, Http2StreamBody, Stream } from './http2-stream-body.ts'

/** One HTTP/2 request of a client. */
export class Http2Exchange implements Exchange, Http2Owner {
  readonly head: RequestHead
  readonly #carrier: Http2Carrier
  readonly #stream: Stream
  readonly #body: Http2StreamBody
  readonly #onGone: (() => void)[] = []
  #requestTrailers: HeaderList = []
  #isAnswering = false
  #isAnswered = false
  #isGone = false
  /** Until its client must have ended, once all of the answer is sent. */
  #rest: Disposable | undefined

  constructor(carrier: Http2Carrier, stream: Stream, head: RequestHead, body: Http2StreamBody) {
    this.head = head
    this.#carrier = carrier
    this.#stream = stream
    this.#body = body
  }

  get body(): BodySource {
    return this.#body
  }

  get out(): BodyTarget {
    return this.#body
  }

  get isGone(): boolean {
    return this.#isGone
  }

  onGone(listener: () => void): void {
    this.#onGone.push(listener)
  }

  requestTrailers(): HeaderList {
    return this.#requestTrailers
  }

  wantBody(): void {}

  inform({ status, headers }: ResponseHead): void {
    // HTTP/2 has no 101 (RFC 9113 §8.6).
    if (this.#isAnswering || status === 101) return
    this.#send([':status', String(status), ...http2Lines(answerLines(status, headers))], false)
  }

  respond({ status, headers }: ResponseHead, { bodiless }: { readonly bodiless: boolean }): void {
    if (this.#isAnswering) return
    this.#isAnswering = true
    this.#isAnswered = bodiless
    this.#send([':status', String(status), ...http2Lines(answerLines(status, headers))], bodiless)
    // What the client still sends has no reader: it is told to stop, and that this was no failure (RFC 9113 §8.1).
    if (bodiless && !this.#body.hasEnded) this.#carrier.reset(this.#stream, ERROR_CODE.noError)
    else if (bodiless) this.#carrier.settle(this.#stream)
  }

  end(trailers: HeaderList): void {
    this.#isAnswered = true
    this.#body.end(trailers.length === 0 ? trailers : http2Lines(trailers))
    this.#settle()
  }

  reset(): void {
    this.#carrier.reset(this.#stream, ERROR_CODE.cancel)
    this.#gone(undefined)
  }

  upgraded(): Duplex {
    // CONNECT is refused, and HTTP/2 knows no other.
    throw new TypeError('a request of HTTP/2 does not change its protocol')
  }

  onHeaders(headers: HeaderList): void {
    this.#requestTrailers = trailerLines(headers)
  }

  onData(chunk: Buffer): void {
    if (!this.#body.onData(chunk)) this.#break()
  }

  onEnd(): void {
    this.#rest?.[Symbol.dispose]()
    if (!this.#body.onEnd()) this.#break()
  }

  onReset(): void {
    this.#gone(undefined)
  }

  onWritable(): void {
    this.#body.onWritable()
    this.#settle()
  }

  onLost(error: Error | undefined): void {
    this.#gone(error)
  }

  #settle(): void {
    this.#carrier.settle(this.#stream)
    if (!this.#stream.localEnded || this.#stream.closed || this.#rest !== undefined) return
    this.#rest = this.#carrier.after(REQUEST_REST_TIMEOUT_MS, () =>
      this.#carrier.reset(this.#stream, ERROR_CODE.noError),
    )
  }

  /** Not as long as its head says: whoever is sent it over HTTP/1.1 would wait, or take the rest for another request. */
  #break(): void {
    this.#carrier.blame(this.#stream, ERROR_CODE.protocolError)
    this.#gone(undefined)
  }

  #send(lines: HeaderList, isEnd: boolean): void {
    if (this.#isGone) return
    this.#carrier.connection.respond(this.#stream, lines, isEnd)
    this.#carrier.touched()
  }

  #gone(error: Error | undefined): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#rest?.[Symbol.dispose]()
    const wasAnswered = this.#isAnswered && this.#body.backlog === 0
    this.#body.fail(error)
    if (wasAnswered) return
    for (const listener of this.#onGone) listener()
  }
}
