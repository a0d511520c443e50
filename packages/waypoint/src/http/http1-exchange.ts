import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { Http1Error, headText } from '@ambit/http1'
import type { HeaderList } from '@ambit/route'
import type { BodyReader, BodySource, BodyTarget } from './body.types.ts'
import type { Exchange, RequestHead, ResponseHead } from './exchange.types.ts'
import { answerLines, endsWithHead, headerOf, trailerLines, withoutTrailer } from './headers.ts'
import { framingOf, Http1Sender } from './http1-sender.ts'

/** What a request needs of its connection. */
export interface Http1Carrier {
  readonly stream: Duplex
  /** No further request is served on it. */
  readonly isLeaving: boolean
  readonly isGone: boolean
  /** Its body is wanted, or wanted again, or not for now. */
  readOn(): void
  holdUp(): void
  /** All of the answer was written; `isLast` when nothing may follow it. */
  answered(exchange: Http1Exchange, isLast: boolean): void
  /** Leaves the stream to somebody else, with what came behind the request. */
  handOver(): Duplex
  cut(): void
}

export interface Http1ExchangeOptions {
  /** The client waits for 100 Continue. */
  readonly expectsContinue: boolean
  readonly keepsAlive: boolean
}

/** One HTTP/1.1 request of a client; also its body, which its connection reads. */
export class Http1Exchange implements Exchange, BodySource {
  readonly head: RequestHead
  readonly #carrier: Http1Carrier
  readonly #options: Http1ExchangeOptions
  readonly #onGone: (() => void)[] = []
  #reader: BodyReader | undefined
  #isWanted = false
  #isDiscarded = false
  #isPaused = false
  #hasEnded: boolean
  #trailers: HeaderList = []
  #sender: Http1Sender | undefined
  #isLast = false
  #isAnswered = false

  constructor(carrier: Http1Carrier, head: RequestHead, options: Http1ExchangeOptions) {
    this.#carrier = carrier
    this.head = head
    this.#options = options
    this.#hasEnded = head.isBodiless
  }

  get body(): BodySource {
    return this
  }

  get out(): BodyTarget {
    return this.#sender ?? NOWHERE
  }

  get isGone(): boolean {
    return this.#carrier.isGone && !this.#isAnswered
  }

  /** Whether the connection may read on. */
  get takesBody(): boolean {
    return this.#hasEnded || this.#isDiscarded || (this.#reader !== undefined && !this.#isPaused)
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get isAnswered(): boolean {
    return this.#isAnswered
  }

  onGone(listener: () => void): void {
    this.#onGone.push(listener)
  }

  requestTrailers(): HeaderList {
    return this.#trailers
  }

  wantBody(): void {
    if (this.#isWanted) return
    this.#isWanted = true
    if (this.#options.expectsContinue && this.#sender === undefined) this.#write('HTTP/1.1 100 Continue\r\n\r\n')
  }

  read(reader: BodyReader): void {
    this.#reader = reader
    if (this.#hasEnded) reader.onEnd()
    else if (this.#carrier.isGone) reader.onFailure(undefined)
    else this.#carrier.readOn()
  }

  pause(): void {
    if (this.#hasEnded || this.#isPaused || this.#isDiscarded) return
    this.#isPaused = true
    this.#carrier.holdUp()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#carrier.readOn()
  }

  discard(): void {
    if (this.#isDiscarded) return
    this.#isDiscarded = true
    this.#carrier.readOn()
  }

  inform({ status, headers }: ResponseHead): void {
    if (this.#sender !== undefined || this.head.version === 'HTTP/1.0') return
    this.#write(headText(statusLine(status), answerLines(status, headers)))
  }

  respond({ status, headers: sent }: ResponseHead, { bodiless }: { readonly bodiless: boolean }): void {
    if (this.#sender !== undefined) return
    const { head } = this
    const { stream, isLeaving } = this.#carrier
    const headers = answerLines(status, sent)
    const isHeadAlone = endsWithHead(head.method, status)
    const framing = framingOf(headers, bodiless || isHeadAlone, head.version !== 'HTTP/1.0')
    const length = headerOf(headers, 'content-length')
    if (bodiless && !isHeadAlone && Number(length ?? 0) !== 0)
      throw new Http1Error('invalid-framing', 'a length without a body')
    // What is left of the body nobody reads: it must not be read as a next request, nor be waited for.
    const isAbandoned = !this.#hasEnded && !this.#isWanted
    this.#isLast =
      isLeaving || isAbandoned || !this.#options.keepsAlive || framing.kind === 'to-end' || head.upgrade !== undefined
    let more = framing.kind === 'chunked' ? 'transfer-encoding: chunked\r\n' : ''
    // Without a word of it the client would read up to the end of the connection.
    if (bodiless && !isHeadAlone && length === undefined) more += 'content-length: 0\r\n'
    if (this.#isLast) more += 'connection: close\r\n'
    else if (head.version === 'HTTP/1.0') more += 'connection: keep-alive\r\n'
    const lines =
      framing.kind === 'chunked' || headerOf(headers, 'trailer') === undefined ? headers : withoutTrailer(headers)
    this.#sender = new Http1Sender(stream, headText(statusLine(status), lines, more), framing)
    if (bodiless) this.end([])
    else this.#sender.flushLater()
  }

  end(trailers: HeaderList): void {
    if (this.#sender === undefined || this.#isAnswered) return
    this.#isAnswered = true
    this.#sender.end(trailers)
    this.#reader = undefined
    this.#isDiscarded = true
    this.#carrier.answered(this, this.#isLast)
  }

  reset(): void {
    this.#carrier.cut()
  }

  upgraded({ status, headers }: ResponseHead): Duplex {
    this.#write(headText(statusLine(status), headers))
    this.#isAnswered = true
    return this.#carrier.handOver()
  }

  /** By the connection: more of the body. */
  onData(chunk: Buffer): void {
    this.#reader?.onData(chunk)
  }

  onEnd(trailers: HeaderList): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    if (trailers.length > 0) this.#trailers = trailerLines(trailers)
    this.#reader?.onEnd()
  }

  onDrain(): void {
    this.#sender?.drained()
  }

  /** The client is gone. */
  lost(): void {
    const reader = this.#hasEnded ? undefined : this.#reader
    this.#reader = undefined
    reader?.onFailure(undefined)
    if (this.#isAnswered) return
    for (const listener of this.#onGone) listener()
  }

  #write(text: string): void {
    const { stream } = this.#carrier
    if (stream.writable) stream.write(Buffer.from(text, 'latin1'))
  }
}

const NOWHERE: BodyTarget = { write: () => true, backlog: 0, onDrain: () => undefined }

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}`
}
