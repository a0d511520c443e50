import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2'
import { messageOf } from '@ambit/core'
import { cut } from '@ambit/hbone'
import type { HeaderList } from '@ambit/route'
import type { BodyTarget } from '../http/body.types.ts'
import { endToEnd, trailerLines } from '../http/headers.ts'
import { headerObject, http2Lines } from '../http/http2-headers.ts'
import { NodeSource, NodeTarget } from '../http/node-body.ts'
import { MAX_INTERIM_ANSWERS } from '../limits.ts'
import { isFinalStatus, UpstreamError } from './errors.ts'
import type { CallEvents, UpstreamAnswer, UpstreamCall, UpstreamRequest } from './upstream.types.ts'

const { NGHTTP2_REFUSED_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_PROTOCOL_ERROR } =
  constants

/** One request on one stream of an HTTP/2 connection. */
export class Http2Call implements UpstreamCall {
  readonly answer: Promise<UpstreamAnswer>
  readonly body: BodyTarget
  readonly #stream: ClientHttp2Stream
  #trailers: HeaderList = []

  constructor(session: ClientHttp2Session, sent: UpstreamRequest, events: CallEvents, onClosed: () => void) {
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
    this.#stream = session.request(lines, { endStream: sent.isBodiless, waitForTrailers: !sent.isBodiless })
    this.body = new NodeTarget(this.#stream)
    this.#stream.once('close', onClosed)
    this.#stream.on('error', () => undefined)
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(headerObject(this.#trailers)))
    this.answer = this.#answer(sent, events)
    this.answer.catch(() => undefined)
  }

  endBody(trailers: HeaderList): void {
    this.#trailers = http2Lines(trailers)
    if (!this.#stream.writableEnded) this.#stream.end()
  }

  cancel(): void {
    cut(this.#stream)
  }

  #answer(sent: UpstreamRequest, { onInform }: CallEvents): Promise<UpstreamAnswer> {
    const stream = this.#stream
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>()
    let trailers: HeaderList = []
    let failure: Error | undefined
    let answered = false
    let informs = 0
    stream.on('headers', (headers: IncomingHttpHeaders & { ':status'?: number }, _flags: number, raw?: string[]) => {
      if (++informs > MAX_INTERIM_ANSWERS) {
        reject(new UpstreamError('protocol-error', 'the endpoint gives interim answers without end', { sent: true }))
        this.cancel()
        return
      }
      onInform({ status: Number(headers[':status']), headers: endToEnd(raw ?? flat(headers)) })
    })
    stream.on('trailers', (headers: IncomingHttpHeaders, _flags: number, raw?: string[]) => {
      trailers = trailerLines(raw ?? flat(headers))
    })
    stream.once('response', (headers, flags, raw?: string[]) => {
      answered = true
      const status = headers[':status'] ?? 0
      if (!isFinalStatus(status)) {
        reject(new UpstreamError('protocol-error', `the endpoint answered with status ${status}`, { sent: true }))
        this.cancel()
        return
      }
      const answerHeaders = endToEnd(raw ?? flat(headers))
      resolve({
        status,
        headers: answerHeaders,
        bodiless: sent.method === 'HEAD' || (flags & NGHTTP2_FLAG_END_STREAM) !== 0,
        body: new NodeSource(stream),
        trailers: () => trailers,
        upgraded: undefined,
      })
    })
    stream.once('error', (error) => {
      failure = error
    })
    stream.once('close', () => {
      if (!answered) reject(failureOf(stream.rstCode, failure))
    })
    return promise
  }
}

function failureOf(code: number | undefined, cause: Error | undefined): UpstreamError {
  const why = cause === undefined ? 'the endpoint ended the stream before an answer' : messageOf(cause)
  if (code === NGHTTP2_REFUSED_STREAM) return new UpstreamError('refused-stream', why, { cause, sent: false })
  if (code === NGHTTP2_PROTOCOL_ERROR) return new UpstreamError('protocol-error', why, { cause, sent: true })
  if (code === undefined || code === NGHTTP2_NO_ERROR || code === NGHTTP2_CANCEL) {
    return new UpstreamError('terminated', why, { cause, sent: true })
  }
  return new UpstreamError('reset', why, { cause, sent: true })
}

function flat(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    Array.isArray(value) ? value.flatMap((each) => [name, each]) : [name, value ?? ''],
  )
}
