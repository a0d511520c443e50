import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Clock, codeOf, messageOf } from '@ambit/core'
import { cut } from '@ambit/hbone'
import {
  HEADERS_CHECK_MS,
  IDLE_TIMEOUT_MS,
  MAX_HEADER_BYTES,
  MAX_HEADER_LINES,
  MAX_PIPELINED_REQUESTS,
  MAX_TARGET_LENGTH,
  REQUEST_HEADERS_TIMEOUT_MS,
} from '../limits.ts'
import type { HttpVersion } from './exchange.types.ts'
import type { FrontHandler } from './front.types.ts'
import { endToEnd, OF_THE_HEAD, sentValues } from './headers.ts'
import { Http1Exchange } from './http1-exchange.ts'
import { framingObjection } from './http1-framing.ts'
import { lingeringEnd } from './lingering-end.ts'
import { readTarget } from './read-target.ts'
import { writeBuffersOnly } from './write-buffers.ts'

interface Connection {
  readonly stream: Duplex
  readonly handler: FrontHandler
  readonly finished: () => void
  active: number
  /** The last answer is being or has been sent. */
  isOver: boolean
  /** The next answer is the last one. */
  isLeaving: boolean
  /** Requests that were sent before the one ahead of them was answered. */
  readonly waiting: (() => void)[]
}

type FakeSocket = Parameters<ServerResponse['assignSocket']>[0]

/** HTTP/1.1 from clients. One server of Node's for all of them, which never listens: its parser is strict and it counts the time. */
export class Http1Front {
  readonly #server: Server
  readonly #connections = new WeakMap<object, Connection>()
  readonly #open = new Set<Connection>()
  readonly #clock: Clock
  #draining = false

  constructor({ clock }: { readonly clock: Clock }, options: { readonly headersTimeoutMs?: number | undefined } = {}) {
    this.#clock = clock
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: options.headersTimeoutMs ?? REQUEST_HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: HEADERS_CHECK_MS,
      // Bodies may take as long as they like.
      requestTimeout: 0,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      requireHostHeader: false,
      joinDuplicateHeaders: false,
      insecureHTTPParser: false,
      // With a body it would be read as bytes of the new protocol.
      shouldUpgradeCallback: (request) => upgradeOf(request) !== undefined,
    })
    // Node would leave further lines out without a word.
    this.#server.maxHeadersCount = 0
    this.#server.on('request', (request, response) => this.#onRequest(request, response, false))
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
      this.#onRequest(request, response, true),
    )
    this.#server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      this.#refuse(request, response, 417, 'unknown expectation'),
    )
    const onUpgrade = (request: IncomingMessage, stream: Duplex, first: Buffer): void =>
      this.#onUpgrade(request, stream, first)
    this.#server.on('upgrade', onUpgrade)
    this.#server.on('connect', onUpgrade)
    this.#server.on('clientError', (error: Error, stream: Duplex) => this.#onClientError(error, stream))
    // It will never listen; this is what starts its watch over slow heads.
    this.#server.emit('listening')
  }

  /** Connections that are open, for tests and the drain. */
  get size(): number {
    return this.#open.size
  }

  /** Takes over the stream; resolves when it is closed. */
  serve(stream: Duplex, handler: FrontHandler): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const connection: Connection = {
      stream,
      handler,
      finished: resolve,
      active: 0,
      isOver: false,
      isLeaving: false,
      waiting: [],
    }
    this.#connections.set(stream, connection)
    this.#open.add(connection)
    stream.once('close', () => {
      this.#open.delete(connection)
      resolve()
    })
    writeBuffersOnly(stream)
    this.#server.emit('connection', stream)
    return promise
  }

  /** From now on every answer is the last of its connection. */
  drain(): void {
    this.#draining = true
  }

  /** The answer under way is the last of this connection, which ends at once when there is none. */
  leave(stream: Duplex): void {
    const connection = this.#connections.get(stream)
    if (connection === undefined || connection.isLeaving) return
    connection.isLeaving = true
    if (connection.active > 0) return
    connection.isOver = true
    lingeringEnd(stream, this.#clock)
  }

  /** Ends connections on which no request is under way. */
  closeIdle(): void {
    for (const { stream, active } of this.#open) if (active === 0) stream.end()
  }

  close(): void {
    this.#server.close()
    for (const { stream } of this.#open) cut(stream)
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.#connections.get(request.socket)
    if (connection === undefined) {
      request.socket.destroy()
      return
    }
    // It was in the same bytes as one that was refused.
    if (connection.isOver) return
    const { rawHeaders, httpVersion } = request
    const { method = '', url = '' } = request
    const objection = framingObjection(httpVersion, rawHeaders)
    if (objection !== undefined) return this.#refuse(request, response, 400, objection)
    if (rawHeaders.length > 2 * MAX_HEADER_LINES) return this.#refuse(request, response, 431, 'too many header lines')
    if (url.length > MAX_TARGET_LENGTH) return this.#refuse(request, response, 414, 'the request target is too long')
    const target = readTarget(method, url, rawHeaders, httpVersion)
    if (!target.ok) return this.#refuse(request, response, 400, target.reason)
    if (connection.waiting.length >= MAX_PIPELINED_REQUESTS) {
      connection.handler.protocolError({
        status: 0,
        reason: `more than ${MAX_PIPELINED_REQUESTS} requests wait for an answer`,
      })
      cut(connection.stream)
      return
    }
    connection.active++
    response.once('close', () => {
      connection.active--
      // Answers go out in order, so requests are served one after the other: who sends many at once gains nothing.
      // Behind the last answer nothing is served: its sender was told, and would send it again elsewhere.
      if (!connection.stream.destroyed && !connection.isOver) connection.waiting.shift()?.()
      if ((this.#draining || connection.isLeaving) && connection.active === 0) connection.stream.end()
    })
    const headers = endToEnd(rawHeaders, OF_THE_HEAD)
    const exchange = new Http1Exchange({
      request,
      response,
      head: {
        version: `HTTP/${httpVersion}` as HttpVersion,
        method,
        scheme: target.scheme,
        authority: target.authority,
        target: target.target,
        headers,
        isBodiless: isBodiless(request),
        upgrade: upgradeOf(request),
      },
      expectsContinue,
      isLast: () => this.#draining || connection.isLeaving || !response.shouldKeepAlive,
      onLast: () => {
        connection.isOver = true
        response.once('finish', () => lingeringEnd(connection.stream, this.#clock))
      },
      stream: connection.stream,
    })
    const serve = (): void => connection.handler.request(exchange)
    if (connection.active === 1) serve()
    else connection.waiting.push(serve)
  }

  #onUpgrade(request: IncomingMessage, stream: Duplex, first: Buffer): void {
    const connection = this.#connections.get(stream)
    // Its parser is gone, and an answer before it is not out yet: nobody waits for both.
    if (connection === undefined || connection.active > 0 || connection.isOver) {
      cut(stream)
      return
    }
    // Whatever the answer is, it is the last on this connection.
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(stream as FakeSocket)
    response.once('finish', () => {
      response.detachSocket(stream as FakeSocket)
      stream.end()
    })
    stream.on('error', () => undefined)
    stream.once('close', () => response.destroy())
    if (first.length > 0) stream.unshift(first)
    this.#onRequest(request, response, false)
  }

  #refuse(request: IncomingMessage, response: ServerResponse, status: number, reason: string): void {
    const connection = this.#connections.get(request.socket)
    if (connection === undefined || connection.isOver) return
    connection.isOver = true
    connection.handler.protocolError({ status, reason })
    response.once('finish', () => lingeringEnd(connection.stream, this.#clock))
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    response.writeHead(status, ['content-length', '0', 'connection', 'close', 'server', 'istio-envoy'])
    response.end()
  }

  #onClientError(error: Error, stream: Duplex): void {
    const connection = this.#connections.get(stream)
    const [status, text] = CLIENT_ERRORS[codeOf(error) ?? ''] ?? [400, 'Bad Request']
    const reason = 'reason' in error ? String(error.reason) : messageOf(error)
    // A reset of the client, or what follows a last answer, is no error of anybody.
    if (connection?.isOver === true) return lingeringEnd(stream, this.#clock)
    const isQuiet = codeOf(error) === 'ECONNRESET' || stream.destroyed
    if (!isQuiet) connection?.handler.protocolError({ status, reason })
    if (isQuiet || !stream.writable || connection === undefined || connection.active > 0) {
      cut(stream)
      return
    }
    connection.isOver = true
    stream.write(`HTTP/1.1 ${status} ${text}\r\ncontent-length: 0\r\nconnection: close\r\nserver: istio-envoy\r\n\r\n`)
    stream.on('data', () => undefined)
    lingeringEnd(stream, this.#clock)
  }
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
}

/**
 * The protocol asked for, when it is one that is passed on: WebSocket alone (Istio), and not with a body. Any other could carry requests that
 * nobody judges, as HTTP/2 does.
 */
function upgradeOf(request: IncomingMessage): string | undefined {
  if (request.method === 'CONNECT') return 'CONNECT'
  const raw = request.rawHeaders
  const sent = sentValues(raw, 'upgrade')
  if (sent.length === 0 || request.httpVersion !== '1.1' || !isBodiless(request)) return undefined
  const wanted = sent.join(',')
  const options = sentValues(raw, 'connection').join(',').toLowerCase().split(',')
  if (!options.some((option) => option.trim() === 'upgrade')) return undefined
  return wanted.trim().toLowerCase() === 'websocket' ? 'websocket' : undefined
}

function isBodiless(request: IncomingMessage): boolean {
  const raw = request.rawHeaders
  if (sentValues(raw, 'transfer-encoding').length > 0) return false
  const lengths = sentValues(raw, 'content-length')
  return lengths.length === 0 || lengths.join(',') === '0'
}
