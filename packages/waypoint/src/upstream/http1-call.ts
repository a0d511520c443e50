import { messageOf } from '@ambit/core'
import { Http1Error, headText, type ResponseHead } from '@ambit/http1'
import type { HeaderList } from '@ambit/route'
import type { BodyReader, BodySource, BodyTarget } from '../http/body.types.ts'
import { endToEnd, headerOf, trailerLines, withoutTrailer } from '../http/headers.ts'
import { framingOf, Http1Sender } from '../http/http1-sender.ts'
import { MAX_INTERIM_ANSWERS } from '../limits.ts'
import { isFinalStatus, UpstreamError } from './errors.ts'
import type { AnswerReader, Http1Upstream } from './http1-connection.ts'
import type { CallEvents, UpstreamAnswer, UpstreamCall, UpstreamRequest } from './upstream.types.ts'

export interface Http1CallOptions {
  readonly connection: Http1Upstream
  /** It carried a request before: its end may have crossed this one. */
  readonly isReused: boolean
  /** The connection can be used again. */
  readonly onFree: () => void
}

/** Methods that may be sent twice (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** One request on one HTTP/1.1 connection; also the body of its answer, which the connection reads. */
export class Http1Call implements UpstreamCall, AnswerReader, BodySource {
  readonly answer: Promise<UpstreamAnswer>
  readonly #sent: UpstreamRequest
  readonly #options: Http1CallOptions
  readonly #events: CallEvents
  readonly #sender: Http1Sender
  #resolve: ((answer: UpstreamAnswer) => void) | undefined
  readonly #reject: (error: UpstreamError) => void
  #reader: BodyReader | undefined
  #informs = 0
  #head: ResponseHead | undefined
  #trailers: HeaderList = []
  #isPaused = false
  #isDiscarded = false
  /** All of the answer has come. */
  #hasEnded = false
  #failure: { readonly error: Error | undefined } | undefined
  #isFree = false

  /** Throws for what can not be said in HTTP/1.1. */
  constructor(sent: UpstreamRequest, options: Http1CallOptions, events: CallEvents) {
    this.#sent = sent
    this.#options = options
    this.#events = events
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>()
    this.answer = promise
    this.#resolve = resolve
    this.#reject = reject
    promise.catch(() => undefined)
    this.#sender = senderOf(sent, options.connection)
    options.connection.begin(this)
    // A head without body leaves as the whole request that it is.
    if (!sent.isBodiless) this.#sender.flushLater()
  }

  get body(): BodyTarget {
    return this.#sender
  }

  /** Before its head is taken there is none, so nothing has to wait. */
  get takesBody(): boolean {
    return this.#head === undefined || this.#isDiscarded || (this.#reader !== undefined && !this.#isPaused)
  }

  endBody(trailers: HeaderList): void {
    this.#sender.end(trailers)
    this.#freeIfDone()
  }

  cancel(): void {
    if (this.#isFree) return
    this.#isFree = true
    this.#settle(cancelled(undefined))
    this.#options.connection.cut()
  }

  read(reader: BodyReader): void {
    this.#reader = reader
    if (this.#hasEnded) reader.onEnd()
    else if (this.#failure !== undefined) reader.onFailure(this.#failure.error)
    else this.#options.connection.readOn()
  }

  pause(): void {
    if (this.#hasEnded || this.#isPaused || this.#isDiscarded) return
    this.#isPaused = true
    this.#options.connection.holdUp()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    if (!this.#isFree) this.#options.connection.readOn()
  }

  discard(): void {
    if (this.#isDiscarded) return
    this.#isDiscarded = true
    if (!this.#isFree && !this.#hasEnded) this.#options.connection.readOn()
  }

  onHead(head: ResponseHead): 'interim' | 'bodiless' | 'body' | 'upgraded' {
    const { status } = head
    const { method, upgrade } = this.#sent
    if (status >= 100 && status < 200 && status !== 101) {
      if (++this.#informs > MAX_INTERIM_ANSWERS)
        throw new Http1Error('invalid-start-line', 'the endpoint gives interim answers without end')
      if (status !== 100) this.#events.onInform({ status, headers: endToEnd(head.headers) })
      return 'interim'
    }
    const isUpgraded = status === 101 || (upgrade === 'CONNECT' && status >= 200 && status < 300)
    if (isUpgraded && upgrade === undefined)
      throw new Http1Error('invalid-start-line', 'the endpoint changed the protocol without being asked')
    if (!isUpgraded && !isFinalStatus(status))
      throw new Http1Error('invalid-start-line', `the endpoint answered with status ${status}`)
    this.#head = head
    const headers = endToEnd(head.headers)
    if (isUpgraded && upgrade !== 'CONNECT')
      headers.push('connection', 'upgrade', 'upgrade', headerOf(head.headers, 'upgrade') ?? upgrade ?? '')
    const isBodiless = method === 'HEAD' || status === 204 || status === 304
    this.#resolve?.({
      status,
      headers,
      bodiless: isBodiless || head.contentLength === 0,
      body: this,
      trailers: () => this.#trailers,
      upgraded: isUpgraded ? this.#options.connection.stream : undefined,
    })
    this.#resolve = undefined
    if (isUpgraded) {
      this.#isFree = true
      return 'upgraded'
    }
    if (isBodiless || head.contentLength === 0) this.#isDiscarded = true
    return isBodiless ? 'bodiless' : 'body'
  }

  onData(chunk: Buffer): void {
    this.#reader?.onData(chunk)
  }

  onEnd(trailers: HeaderList): void {
    this.#hasEnded = true
    if (trailers.length > 0) this.#trailers = trailerLines(trailers)
    this.#freeIfDone()
    this.#reader?.onEnd()
  }

  onDrain(): void {
    this.#sender.drained()
  }

  onFailure(error: unknown): void {
    this.#isFree = true
    if (this.#resolve !== undefined) {
      // A kept connection that ends without a byte of answer was most likely closed before the request arrived.
      const crossed = this.#options.isReused && IDEMPOTENT.has(this.#sent.method)
      this.#settle(failureOf(error, !crossed))
      return
    }
    this.#failure = { error: error instanceof Error ? error : undefined }
    this.#reader?.onFailure(this.#failure.error)
  }

  #settle(error: UpstreamError): void {
    if (this.#resolve === undefined) return
    this.#resolve = undefined
    this.#reject(error)
  }

  /** Another request may follow when this one and its answer are whole, and the endpoint does not close. */
  #freeIfDone(): void {
    if (!this.#hasEnded || !this.#sender.isOver || this.#isFree) return
    this.#isFree = true
    const { connection, onFree } = this.#options
    const head = this.#head
    // The body it announces behind 204 may still come, as the answer to another request.
    const isDoubtful = head?.status === 204 && (head.isChunked || (head.contentLength ?? 0) > 0)
    if (head?.keepsAlive === true && !isDoubtful && this.#sent.upgrade === undefined) onFree()
    else connection.cut()
  }
}

function senderOf(sent: UpstreamRequest, { stream }: Http1Upstream): Http1Sender {
  const target = sent.upgrade === 'CONNECT' ? sent.authority : sent.target
  const framing = framingOf(sent.headers, sent.isBodiless || sent.upgrade !== undefined, true)
  const isChunked = framing.kind === 'chunked'
  let more = isChunked ? 'transfer-encoding: chunked\r\n' : ''
  if (sent.upgrade !== undefined && sent.upgrade !== 'CONNECT')
    more = `connection: upgrade\r\nupgrade: ${sent.upgrade}\r\n`
  const headers =
    isChunked || headerOf(sent.headers, 'trailer') === undefined ? sent.headers : withoutTrailer(sent.headers)
  if (target === '' || /[^\x21-\x7e\x80-\xff]/.test(target) || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(sent.method))
    throw new Http1Error('invalid-start-line', 'neither method nor target may have blanks')
  const text = headText(`${sent.method} ${target} HTTP/1.1`, ['host', sent.authority, ...headers], more)
  return new Http1Sender(stream, text, framing)
}

function failureOf(error: unknown, sent: boolean): UpstreamError {
  if (error instanceof Http1Error) {
    return new UpstreamError('protocol-error', `not HTTP/1.1: ${messageOf(error)}`, { cause: error, sent: true })
  }
  const why = error === undefined ? 'the connection ended before an answer' : messageOf(error)
  return new UpstreamError('terminated', why, { cause: error, sent })
}

function cancelled(cause: unknown): UpstreamError {
  return new UpstreamError('terminated', 'given up', { cause, sent: true })
}
