import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Clock, type Closable, type Logger, messageOf, type SocketAddress } from '@ambit/core'
import { decodeQuestion } from './decode-question.ts'
import { BadQuestionError, DashboardListenError } from './errors.ts'
import { EventStream } from './event-stream.ts'
import type { DashboardFeed } from './feed.types.ts'
import { judgeAccess, sameSecret } from './judge-access.ts'
import {
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  LAUNCH_MS,
  MAX_CONNECTIONS,
  MAX_EVENT_STREAMS,
  MAX_EXPLAINED_AT_ONCE,
  MAX_HEADER_BYTES,
  TICK_MS,
} from './limits.ts'
import type { PageFile } from './page-files.ts'

export interface DashboardComponents {
  readonly feed: DashboardFeed
  /** {@link readPageFiles}. */
  readonly files: ReadonlyMap<string, PageFile>
  readonly clock: Clock
  readonly logger: Logger
}

/** Nothing from elsewhere, nothing inline, nobody's frame. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
}

/** Serves the page and its data to this machine. */
export class DashboardServer implements Closable {
  readonly #components: DashboardComponents
  readonly #token = randomBytes(24).toString('base64url')
  readonly #streams = new Set<EventStream>()
  readonly #server: Server
  #launchCode: string | undefined
  #explaining = 0
  #tick: Disposable | undefined

  constructor(components: DashboardComponents) {
    this.#components = components
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: HEADERS_TIMEOUT_MS,
        connectionsCheckingInterval: 1_000,
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      (request, response) => void this.#serve(request, response),
    )
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Starts to listen; answers the address of the page, which holds the secret. */
  async listen(address: SocketAddress): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen({ host: address.ip, port: address.port }, resolve)
    try {
      await promise
    } catch (cause) {
      throw new DashboardListenError(
        `the dashboard can't listen on ${address.ip}:${address.port}: ${messageOf(cause)}; --port 0 takes any free one`,
        { cause },
      )
    }
    this.#server.off('error', reject)
    this.#server.on('error', (error) => this.#components.logger.warn('dashboard', { error: messageOf(error) }))
    this.#scheduleTick()
    return `${this.#origin()}/${this.#token}/`
  }

  /** An address that works once and soon, for a program's arguments: other users of the machine can read those. */
  launchUrl(): string {
    const code = randomBytes(24).toString('base64url')
    this.#launchCode = code
    this.#components.clock.after(LAUNCH_MS, () => {
      if (this.#launchCode === code) this.#launchCode = undefined
    })
    return `${this.#origin()}/open/${code}`
  }

  async close(): Promise<void> {
    this.#tick?.[Symbol.dispose]()
    for (const stream of this.#streams) stream[Symbol.dispose]()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #origin(): string {
    const bound = this.#server.address()
    return `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`
  }

  #scheduleTick(): void {
    this.#tick = this.#components.clock.after(TICK_MS, () => {
      this.#scheduleTick()
      if (this.#streams.size === 0) return
      const json = JSON.stringify(this.#components.feed.topology())
      for (const stream of this.#streams) stream.offer('topology', json)
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined)
    const verdict = judgeAccess(
      {
        method: request.method,
        url: request.url,
        host: request.headers.host,
        fetchSite: request.headers['sec-fetch-site']?.toString(),
      },
      this.#token,
    )
    if (verdict.kind === 'refuse') {
      // What else the refused request has to say is not listened to.
      answerText(response, verdict.status, verdict.reason, { connection: 'close' })
    } else if (verdict.kind === 'launch') this.#launch(verdict.code, response)
    else if (verdict.path === 'events') this.#follow(response)
    else if (verdict.path === 'edge') this.#answerEdge(verdict.query.get('id') ?? '', response)
    else if (verdict.path === 'explain') await this.#explain(verdict.query.get('question'), response)
    else {
      const file = this.#components.files.get(verdict.path)
      if (file === undefined) answerText(response, 404, 'not found')
      else answer(response, 200, file.contentType, file.body)
    }
  }

  #launch(code: string, response: ServerResponse): void {
    const wanted = this.#launchCode
    this.#launchCode = undefined
    if (wanted === undefined || !sameSecret(code, wanted)) {
      answerText(response, 403, 'this address works once: open the one that ambit dashboard printed')
      return
    }
    response.writeHead(303, { ...SECURITY_HEADERS, location: `/${this.#token}/` })
    response.end()
  }

  #follow(response: ServerResponse): void {
    const { feed, clock } = this.#components
    if (this.#streams.size >= MAX_EVENT_STREAMS) {
      answerText(response, 503, `${MAX_EVENT_STREAMS} pages are open already: close one`)
      return
    }
    response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream' })
    const stream = new EventStream(response, clock)
    this.#streams.add(stream)
    response.once('close', () => this.#streams.delete(stream))
    stream.greet('greeting', JSON.stringify(feed.greeting))
    stream.offer('topology', JSON.stringify(feed.topology()))
  }

  #answerEdge(id: string, response: ServerResponse): void {
    const detail = this.#components.feed.edge(id)
    if (detail === undefined) answerJson(response, 404, { error: 'this edge is no longer there' })
    else answerJson(response, 200, detail)
  }

  async #explain(json: string | null, response: ServerResponse): Promise<void> {
    if (this.#explaining >= MAX_EXPLAINED_AT_ONCE) {
      answerJson(response, 429, { error: 'too many questions at a time: ask again' })
      return
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort(new Error('the page went away')))
    this.#explaining++
    try {
      answerJson(response, 200, await this.#components.feed.explain(decodeQuestion(json), gone.signal))
    } catch (error) {
      answerJson(response, error instanceof BadQuestionError ? 400 : 502, { error: messageOf(error) })
    } finally {
      this.#explaining--
    }
  }
}

function answerText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  answer(response, status, 'text/plain; charset=utf-8', Buffer.from(`${text}\n`), headers)
}

function answerJson(response: ServerResponse, status: number, value: unknown): void {
  answer(response, status, 'application/json', Buffer.from(JSON.stringify(value)))
}

function answer(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'content-type': contentType,
    'content-length': body.length,
    ...headers,
  })
  response.end(body)
}
