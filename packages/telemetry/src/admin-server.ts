import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Closable, Logger, SocketAddress } from '@ambit/core'
import { codeOf, collectBytes, formatSocketAddress, messageOf, parseIp } from '@ambit/core'
import {
  ADMIN_HEADERS_TIMEOUT_MS,
  ADMIN_KEEP_ALIVE_TIMEOUT_MS,
  ADMIN_MAX_BODY_BYTES,
  ADMIN_MAX_CONNECTIONS,
  ADMIN_MAX_HEADER_BYTES,
  ADMIN_REQUEST_TIMEOUT_MS,
  ADMIN_SOCKET_TIMEOUT_MS,
} from './limits.ts'

export interface AdminRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Who asks, as the socket says. */
  readonly remoteAddress?: string | undefined
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

export interface AdminResponse {
  readonly status?: number
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Pieces are sent as they come, no faster than the client reads; the request's signal ends them. */
  readonly body: string | Uint8Array | AsyncIterable<string>
}

export interface AdminRoute {
  /** GET answers HEAD as well. `*` takes every method. */
  readonly method: 'GET' | 'POST' | 'PUT' | '*'
  /** Exact path, or a prefix when it ends with `/*`. */
  readonly path: string
  handle(request: AdminRequest): AdminResponse | Promise<AdminResponse>
}

/** Where the HTTP server gets its listening sockets: plain Node, or a TLS server of the caller's. */
export interface AdminServerOptions {
  readonly logger: Logger
  readonly routes: readonly AdminRoute[]
}

/** A small HTTP/1.1 server for operators: exact routes, small requests, short times. */
export class AdminServer implements Closable {
  readonly #options: AdminServerOptions
  readonly #servers: Server[] = []

  constructor(options: AdminServerOptions) {
    this.#options = options
  }

  /** Starts to listen; may be called for several addresses. Answers the address really bound. */
  async listen(address: SocketAddress): Promise<SocketAddress> {
    const server = createServer(
      {
        maxHeaderSize: ADMIN_MAX_HEADER_BYTES,
        headersTimeout: ADMIN_HEADERS_TIMEOUT_MS,
        requestTimeout: ADMIN_REQUEST_TIMEOUT_MS,
        keepAliveTimeout: ADMIN_KEEP_ALIVE_TIMEOUT_MS,
      },
      (request, response) => void this.#serve(request, response),
    )
    server.maxConnections = ADMIN_MAX_CONNECTIONS
    server.setTimeout(ADMIN_SOCKET_TIMEOUT_MS)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen({ host: address.ip, port: address.port }, resolve)
    try {
      await promise
    } catch (error) {
      throw new Error(`administration server cannot listen on ${formatSocketAddress(address)}: ${messageOf(error)}`, {
        cause: error,
      })
    }
    server.off('error', reject)
    server.on('error', (error) =>
      this.#options.logger.warn('administration server failed', { error: messageOf(error) }),
    )
    this.#servers.push(server)
    return boundAddress(server, address)
  }

  async close(): Promise<void> {
    const servers = this.#servers.splice(0)
    await Promise.all(
      servers.map((server) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        server.close(() => resolve())
        server.closeAllConnections()
        return promise
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined)
    try {
      await send(request, response, await this.#answer(request, response))
    } catch (error) {
      this.#options.logger.warn('administration request failed', { path: request.url ?? '', error: messageOf(error) })
      if (response.headersSent) response.destroy()
      else await send(request, response, { status: 500, body: 'internal error\n' })
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<AdminResponse> {
    const url = URL.parse(request.url ?? '/', 'http://admin.invalid')
    if (url === null) return { status: 400, body: 'bad request\n' }
    const routes = this.#options.routes.filter((route) => pathMatches(route.path, url.pathname))
    if (routes.length === 0) return { status: 404, body: 'not found\n' }
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
    const route = routes.find((candidate) => candidate.method === '*' || candidate.method === method)
    if (route === undefined) {
      return {
        status: 405,
        headers: { allow: routes.map((each) => each.method).join(', ') },
        body: 'method not allowed\n',
      }
    }
    const body = await collectBytes(request, ADMIN_MAX_BODY_BYTES)
    if (body === undefined) return { status: 413, headers: { connection: 'close' }, body: 'body too large\n' }
    const gone = new AbortController()
    response.once('close', () => gone.abort(new Error('client closed the connection')))
    return await route.handle({
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
      remoteAddress: request.socket.remoteAddress,
      signal: gone.signal,
    })
  }
}

async function send(request: IncomingMessage, response: ServerResponse, answer: AdminResponse): Promise<void> {
  if (response.headersSent || response.destroyed) return
  if (isPieces(answer.body)) return await sendPieces(request, response, answer, answer.body)
  const gzip = typeof answer.body === 'string' && answer.body.length > 1024 && acceptsGzip(request)
  response.writeHead(answer.status ?? 200, {
    'content-type': answer.contentType ?? 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...answer.headers,
    ...(gzip ? { 'content-encoding': 'gzip' } : { 'content-length': Buffer.byteLength(answer.body) }),
  })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  if (!gzip) {
    response.end(answer.body)
    return
  }
  const packer = createGzip()
  packer.pipe(response)
  packer.end(answer.body)
}

function isPieces(body: AdminResponse['body']): body is AsyncIterable<string> {
  return typeof body === 'object' && Symbol.asyncIterator in body
}

async function sendPieces(
  request: IncomingMessage,
  response: ServerResponse,
  answer: AdminResponse,
  pieces: AsyncIterable<string>,
): Promise<void> {
  response.writeHead(answer.status ?? 200, {
    'content-type': answer.contentType ?? 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...answer.headers,
  })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  response.flushHeaders()
  await pipeline(Readable.from(pieces, { objectMode: true }), response).catch((error: unknown) => {
    // A client that leaves has had enough.
    if (codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  })
}

function acceptsGzip(request: IncomingMessage): boolean {
  const accepted = request.headers['accept-encoding'] ?? ''
  return accepted.split(',').some((part) => /^\s*gzip\s*(;\s*q=(0\.\d*[1-9]\d*|1(\.0*)?)\s*)?$/.test(part))
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path
}

function boundAddress(server: Server, wanted: SocketAddress): SocketAddress {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return wanted
  return { ip: parseIp(bound.address) ?? wanted.ip, port: bound.port }
}
