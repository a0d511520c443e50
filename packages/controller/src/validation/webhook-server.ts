import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Counter, Logger, Metrics } from '@ambit/core'
import { collectBytes, messageOf } from '@ambit/core'
import type { ServingKeys } from '../ca/serving-credentials.ts'
import {
  MAX_REVIEW_BYTES,
  MAX_REVIEW_BYTES_IN_FLIGHT,
  MAX_REVIEW_CONNECTIONS,
  REVIEW_HEADERS_TIMEOUT_MS,
  REVIEW_TIMEOUT_MS,
} from '../limits.ts'
import { review } from './review.ts'

export interface WebhookServerComponents {
  /** Calls back at once and whenever there are new ones. */
  readonly followKeys: (listener: (keys: ServingKeys) => void) => Disposable
  readonly metrics: Metrics
  readonly logger: Logger
}

/** The API server asks here, by TLS alone, before it stores an object of the mesh. */
export class WebhookServer implements AsyncDisposable {
  readonly #components: WebhookServerComponents
  readonly #passed: Counter
  readonly #failed: Counter
  readonly #server: Server
  readonly #subscription: Disposable
  /** Of questions that are being received. */
  #bytes = 0

  constructor(components: WebhookServerComponents) {
    this.#components = components
    const { metrics } = components
    this.#passed = metrics.counter({
      name: 'galley_validation_passed',
      help: 'Objects the validation webhook allowed',
      labelNames: ['resource'],
    })
    this.#failed = metrics.counter({
      name: 'galley_validation_failed',
      help: 'Objects the validation webhook refused',
      labelNames: ['resource'],
    })
    this.#server = createServer(
      {
        minVersion: 'TLSv1.2',
        headersTimeout: REVIEW_HEADERS_TIMEOUT_MS,
        requestTimeout: REVIEW_TIMEOUT_MS,
        connectionsCheckingInterval: REVIEW_HEADERS_TIMEOUT_MS,
      },
      (request, response) => void this.#answer(request, response),
    )
    this.#server.maxConnections = MAX_REVIEW_CONNECTIONS
    this.#server.on('tlsClientError', () => undefined)
    this.#subscription = components.followKeys(({ chainPem, keyPem }) =>
      this.#server.setSecureContext({ cert: chainPem, key: keyPem, minVersion: 'TLSv1.2' }),
    )
  }

  /** Answers the port really bound. */
  async listen(host: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen(port, host, resolve)
    await promise
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscription[Symbol.dispose]()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { status, body } = await this.#judge(request)
      response.writeHead(status, { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json' })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    } catch (error) {
      this.#components.logger.warn('a question to the validation webhook could not be answered', {
        error: messageOf(error),
      })
      request.destroy()
    }
  }

  async #judge(request: IncomingMessage): Promise<{ readonly status: number; readonly body: object | string }> {
    const [path = ''] = (request.url ?? '').split('?', 1)
    if (path !== '/validate' && !path.startsWith('/validate/')) return { status: 404, body: 'not found' }
    if (request.method !== 'POST') return { status: 405, body: 'only POST' }
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
      return { status: 415, body: 'wants application/json' }
    // The API server always says how long its question is.
    const length = Number(request.headers['content-length'] ?? Number.NaN)
    if (!Number.isSafeInteger(length)) return { status: 411, body: 'wants content-length' }
    if (length > MAX_REVIEW_BYTES) return { status: 413, body: 'too large' }
    if (this.#bytes + length > MAX_REVIEW_BYTES_IN_FLIGHT) return { status: 503, body: 'too many questions at once' }
    this.#bytes += length
    const bytes = await collectBytes(request, length).finally(() => {
      this.#bytes -= length
    })
    if (bytes === undefined) return { status: 413, body: 'too large' }
    const { answer, allowed, kind } = review(parsed(bytes))
    if (answer === undefined) return { status: 400, body: 'wants an AdmissionReview of admission.k8s.io/v1' }
    const counter = allowed ? this.#passed : this.#failed
    counter.add({ resource: kind })
    return { status: 200, body: answer }
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}
