import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex, Writable } from 'node:stream'
import { codeOf, messageOf } from '@ambit/core'
import { cut } from '@ambit/hbone'
import type { HeaderList } from '@ambit/route'
import { endToEnd, headerOf, trailerLines, withoutTrailer } from '../http/headers.ts'
import { MAX_HEADER_BYTES, MAX_HEADER_LINES, MAX_INTERIM_ANSWERS } from '../limits.ts'
import { isFinalStatus, UpstreamError } from './errors.ts'
import type { CallEvents, UpstreamAnswer, UpstreamCall, UpstreamRequest } from './upstream.types.ts'

export interface Http1CallOptions {
  readonly stream: Duplex
  /** It carried a request before: its end may have crossed this one. */
  readonly isReused: boolean
  /** The connection can be used again. */
  readonly onFree: () => void
}

/** Methods that may be sent twice (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** One request on one HTTP/1.1 connection, by Node's own client and its strict parser. */
export class Http1Call implements UpstreamCall {
  readonly answer: Promise<UpstreamAnswer>
  readonly #request: ClientRequest
  readonly #stream: Duplex
  #cancelled = false

  constructor(sent: UpstreamRequest, options: Http1CallOptions, events: CallEvents) {
    const { stream } = options
    this.#stream = stream
    this.#request = httpRequest({
      method: sent.method,
      path: sent.upgrade === 'CONNECT' ? sent.authority : sent.target,
      headers: requestLines(sent),
      setHost: false,
      agent: oneConnection(stream, sent.upgrade !== undefined ? undefined : options.onFree),
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      joinDuplicateHeaders: false,
    })
    this.#request.maxHeadersCount = 0
    this.answer = this.#answer(sent, options, events)
    this.answer.catch(() => undefined)
    // A head without body leaves as the whole request that it is, in one write.
    if (!sent.isBodiless) this.#request.flushHeaders()
  }

  get body(): Writable {
    return this.#request
  }

  endBody(trailers: HeaderList): void {
    for (let index = 0; index < trailers.length; index += 2) {
      this.#request.addTrailers([[trailers[index] ?? '', trailers[index + 1] ?? '']])
    }
    this.#request.end()
  }

  cancel(): void {
    this.#cancelled = true
    this.#request.destroy()
    cut(this.#stream)
  }

  #answer(
    sent: UpstreamRequest,
    { stream, isReused }: Http1CallOptions,
    { onInform }: CallEvents,
  ): Promise<UpstreamAnswer> {
    const request = this.#request
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>()
    let answered = false
    let informs = 0
    const fail = (error: unknown): void => {
      // An error with its stack for every request that ended well would cost more than the rest of this.
      if (answered) return
      // A kept connection that ends without a byte of answer was most likely closed before the request arrived.
      const crossed = isReused && IDEMPOTENT.has(sent.method)
      reject(this.#cancelled ? cancelled(error) : failureOf(error, !crossed))
    }
    request.on('information', ({ statusCode, rawHeaders }: { statusCode: number; rawHeaders: string[] }) => {
      if (++informs > MAX_INTERIM_ANSWERS) {
        reject(new UpstreamError('protocol-error', 'the endpoint gives interim answers without end', { sent: true }))
        this.cancel()
        return
      }
      if (statusCode !== 100) onInform({ status: statusCode, headers: endToEnd(rawHeaders) })
    })
    request.once('response', (response) => {
      answered = true
      const objection = answerObjection(response)
      if (objection === undefined) resolve(answerOf(response, sent, undefined))
      else {
        reject(new UpstreamError('protocol-error', objection, { sent: true }))
        request.destroy()
      }
    })
    const onUpgrade = (response: IncomingMessage, _socket: Duplex, first: Buffer): void => {
      if (sent.upgrade === undefined) {
        reject(new UpstreamError('protocol-error', UNASKED, { sent: true }))
        this.cancel()
        return
      }
      if (first.length > 0) stream.unshift(first)
      resolve(answerOf(response, sent, stream))
    }
    request.once('upgrade', onUpgrade)
    request.once('connect', (response, socket, first) => {
      const accepted = response.statusCode !== undefined && response.statusCode >= 200 && response.statusCode < 300
      if (accepted) return onUpgrade(response, socket, first)
      // Node leaves the rest of a refused CONNECT unread.
      resolve({ ...answerOf(response, sent, undefined), bodiless: true })
      cut(stream)
      return undefined
    })
    request.on('error', fail)
    request.once('close', () => fail(undefined))
    return promise
  }
}

function requestLines(sent: UpstreamRequest): string[] {
  const lines = ['host', sent.authority, ...sent.headers]
  if (sent.upgrade !== undefined) {
    if (sent.upgrade !== 'CONNECT') lines.push('connection', 'upgrade', 'upgrade', sent.upgrade)
    return lines
  }
  if (!sent.isBodiless && headerOf(sent.headers, 'content-length') === undefined) {
    lines.push('transfer-encoding', 'chunked')
    return lines
  }
  return withoutTrailer(lines)
}

function answerOf(response: IncomingMessage, sent: UpstreamRequest, upgraded: Duplex | undefined): UpstreamAnswer {
  const status = response.statusCode ?? 0
  response.on('error', () => undefined)
  const headers = endToEnd(response.rawHeaders)
  if (upgraded !== undefined && sent.upgrade !== 'CONNECT') {
    headers.push('connection', 'upgrade', 'upgrade', response.headers.upgrade ?? sent.upgrade ?? '')
  }
  return {
    status,
    headers,
    bodiless: sent.method === 'HEAD' || status === 204 || status === 304 || response.headers['content-length'] === '0',
    body: response,
    trailers: () => trailerLines(response.rawTrailers),
    upgraded,
  }
}

const UNASKED = 'the endpoint changed the protocol without being asked'

function answerObjection(response: IncomingMessage): string | undefined {
  const { rawHeaders, httpVersion, statusCode = 0 } = response
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return `the endpoint answered with HTTP/${httpVersion}`
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) return 'the endpoint answered with too many header lines'
  if (statusCode === 101) return UNASKED
  if (!isFinalStatus(statusCode)) return `the endpoint answered with status ${statusCode}`
  return undefined
}

function failureOf(error: unknown, sent: boolean): UpstreamError {
  const code = codeOf(error)
  if (code?.startsWith('HPE_') === true) {
    return new UpstreamError('protocol-error', `not HTTP/1.1: ${messageOf(error)}`, { cause: error, sent: true })
  }
  const why = error === undefined ? 'the connection ended before an answer' : messageOf(error)
  return new UpstreamError('terminated', why, { cause: error, sent })
}

function cancelled(cause: unknown): UpstreamError {
  return new UpstreamError('terminated', 'given up', { cause, sent: true })
}

/** What Node's client wants as an agent, for a connection that is there already. */
function oneConnection(stream: Duplex, onFree: (() => void) | undefined): Agent {
  const agent = {
    keepAlive: onFree !== undefined,
    maxSockets: 1,
    protocol: 'http:',
    defaultPort: 80,
    addRequest: (request: ClientRequest): void => {
      if (onFree !== undefined) {
        stream.removeAllListeners('free')
        stream.once('free', onFree)
      }
      request.onSocket(stream as Parameters<ClientRequest['onSocket']>[0])
    },
    removeSocket: () => undefined,
  }
  return agent as unknown as Agent
}
