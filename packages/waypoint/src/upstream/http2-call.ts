import { messageOf } from '@ambit/core'
import { ERROR_CODE, type HeaderList } from '@ambit/http2'
import type { BodyTarget } from '../http/body.types.ts'
import { endsWithHead, endToEnd, headerOf, trailerLines } from '../http/headers.ts'
import type { Http2Carrier } from '../http/http2-carrier.ts'
import { http2Lines } from '../http/http2-headers.ts'
import { type Http2Owner, Http2StreamBody, type Stream } from '../http/http2-stream-body.ts'
import { MAX_HEADER_LINES, MAX_INTERIM_ANSWERS } from '../limits.ts'
import { isFinalStatus, UpstreamError } from './errors.ts'
import type { CallEvents, UpstreamAnswer, UpstreamCall, UpstreamRequest } from './upstream.types.ts'

/** One request on one stream of an HTTP/2 connection. */
export class Http2Call implements UpstreamCall, Http2Owner {
  readonly answer: Promise<UpstreamAnswer>
  readonly #carrier: Http2Carrier
  readonly #sent: UpstreamRequest
  readonly #events: CallEvents
  readonly #stream: Stream
  readonly #body: Http2StreamBody
  readonly #reject: (error: UpstreamError) => void
  #resolve: ((answer: UpstreamAnswer) => void) | undefined
  #trailers: HeaderList = []
  #informs = 0
  #hasHead = false
  #isHeadAlone = false

  /** Throws where no stream may be opened. */
  constructor(carrier: Http2Carrier, sent: UpstreamRequest, events: CallEvents) {
    this.#carrier = carrier
    this.#sent = sent
    this.#events = events
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>()
    this.answer = promise
    this.#resolve = resolve
    this.#reject = reject
    promise.catch(() => undefined)
    const lines = [
      ':method',
      sent.method,
      ':scheme',
      sent.scheme,
      ':authority',
      sent.authority,
      ':path',
      sent.target,
      ...http2Lines(sent.headers),
    ]
    const stream = carrier.connection.request(lines, sent.isBodiless, this)
    if (stream === undefined) throw new TypeError('the connection takes no new streams')
    this.#stream = stream
    this.#body = new Http2StreamBody(carrier, stream)
    carrier.touched()
  }

  get body(): BodyTarget {
    return this.#body
  }

  endBody(trailers: HeaderList): void {
    if (this.#sent.isBodiless) return
    this.#body.end(trailers.length === 0 ? trailers : http2Lines(trailers))
    this.#carrier.settle(this.#stream)
  }

  cancel(): void {
    if (this.#stream.closed) return
    this.#carrier.reset(this.#stream, ERROR_CODE.cancel)
    this.#fail(ERROR_CODE.cancel, undefined)
  }

  onHeaders(headers: HeaderList, isEnd: boolean): void {
    if (this.#hasHead) {
      this.#trailers = trailerLines(headers)
      return
    }
    const status = Number(headers[0] === ':status' ? headers[1] : 0)
    if (status < 200 && status !== 101) {
      if (++this.#informs > MAX_INTERIM_ANSWERS) this.#object('the endpoint gives interim answers without end')
      else if (status !== 100) this.#events.onInform({ status, headers: endToEnd(headers) })
      return
    }
    this.#hasHead = true
    if (!isFinalStatus(status)) return this.#object(`the endpoint answered with status ${status}`)
    if (headers.length > 2 * MAX_HEADER_LINES) return this.#object('the endpoint answered with too many header lines')
    // Of these the length is that of a body they do not have.
    this.#isHeadAlone = endsWithHead(this.#sent.method, status)
    if (!this.#isHeadAlone) {
      if (!this.#body.expect(headers)) return this.#object('Content-Length is no length')
      if (isEnd && Number(headerOf(headers, 'content-length') ?? 0) > 0)
        return this.#object('the endpoint promises a body and gives none')
    }
    this.#resolve?.({
      status,
      headers: endToEnd(headers),
      bodiless: this.#isHeadAlone || isEnd,
      body: this.#body,
      trailers: () => this.#trailers,
      upgraded: undefined,
    })
    this.#resolve = undefined
  }

  onData(chunk: Buffer): void {
    if (!this.#isHeadAlone && this.#body.onData(chunk)) return
    this.#carrier.reset(this.#stream, ERROR_CODE.protocolError)
    this.#fail(ERROR_CODE.protocolError, undefined)
  }

  onEnd(): void {
    if (this.#resolve !== undefined) this.#fail(undefined, undefined)
    else if (!this.#body.onEnd()) this.#fail(ERROR_CODE.protocolError, undefined)
  }

  onReset(code: number): void {
    this.#fail(code, undefined)
  }

  onWritable(): void {
    this.#body.onWritable()
    this.#carrier.settle(this.#stream)
  }

  onLost(error: Error | undefined): void {
    this.#fail(undefined, error)
  }

  #object(reason: string): void {
    this.#resolve = undefined
    this.#reject(new UpstreamError('protocol-error', reason, { sent: true }))
    this.#carrier.reset(this.#stream, ERROR_CODE.cancel)
    this.#body.fail(undefined)
  }

  #fail(code: number | undefined, cause: Error | undefined): void {
    if (this.#resolve !== undefined) {
      this.#resolve = undefined
      this.#reject(failureOf(code, cause))
    }
    this.#body.fail(cause)
  }
}

function failureOf(code: number | undefined, cause: Error | undefined): UpstreamError {
  const why = cause === undefined ? 'the endpoint ended the stream before an answer' : messageOf(cause)
  if (code === ERROR_CODE.refusedStream) return new UpstreamError('refused-stream', why, { cause, sent: false })
  if (code === ERROR_CODE.protocolError) return new UpstreamError('protocol-error', why, { cause, sent: true })
  if (code === undefined || code === ERROR_CODE.noError || code === ERROR_CODE.cancel) {
    return new UpstreamError('terminated', why, { cause, sent: true })
  }
  return new UpstreamError('reset', why, { cause, sent: true })
}
