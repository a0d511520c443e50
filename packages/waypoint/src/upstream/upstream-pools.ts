import type { Duplex } from 'node:stream'
import { type Clock, messageOf } from '@ambit/core'
import { type Endpoint, type EndpointConnector, endpointKey } from './endpoint-connector.ts'
import { UpstreamError } from './errors.ts'
import { Http1Call } from './http1-call.ts'
import { Http1Upstream } from './http1-connection.ts'
import type { Http2Pool } from './http2-pool.ts'
import { IdleConnections } from './idle-connections.ts'
import type { CallEvents, UpstreamCall, UpstreamRequest } from './upstream.types.ts'

export interface CallOptions {
  readonly version: 'HTTP/1.1' | 'HTTP/2'
  readonly connectTimeoutMs: number
  /** Of one connection, after which it is closed; absent: no limit. */
  readonly maxRequests?: number | undefined
  readonly signal: AbortSignal
}

/** Sends requests to endpoints on connections it keeps. */
export class UpstreamPools {
  readonly #connector: EndpointConnector
  readonly #http2: Http2Pool
  readonly #idle: IdleConnections
  #closed = false

  constructor(components: { readonly connector: EndpointConnector; readonly http2: Http2Pool; readonly clock: Clock }) {
    this.#connector = components.connector
    this.#http2 = components.http2
    this.#idle = new IdleConnections(components)
  }

  get idleConnections(): number {
    return this.#idle.size
  }

  /** Resolves with a connection to send on; rejects with an UpstreamError when there is none. */
  async call(
    endpoint: Endpoint,
    request: UpstreamRequest,
    options: CallOptions,
    events: CallEvents,
  ): Promise<UpstreamCall> {
    if (this.#closed) throw new UpstreamError('connect-failed', 'the waypoint is closing', { sent: false })
    // An upgrade takes a connection of HTTP/1.1 for itself.
    if (options.version === 'HTTP/2' && request.upgrade === undefined) {
      return await this.#http2.call(endpoint, request, options, events)
    }
    const key = endpointKey(endpoint)
    const kept = request.upgrade === undefined ? this.#idle.take(key) : undefined
    const connection =
      kept ??
      new Http1Upstream(await this.#connector.open(endpoint, options.connectTimeoutMs, options.signal, 'http/1.1'))
    try {
      const onFree = (): void => this.#free(key, connection, options.maxRequests)
      return new Http1Call(request, { connection, isReused: kept !== undefined, onFree }, events)
    } catch (cause) {
      connection.cut()
      throw new UpstreamError('protocol-error', `not a request of HTTP/1.1: ${messageOf(cause)}`, {
        cause,
        sent: false,
      })
    }
  }

  /** A connection that has carried as many requests as it may is closed. */
  #free(key: string, connection: Http1Upstream, maxRequests: number | undefined): void {
    if (maxRequests !== undefined && connection.carried >= maxRequests) connection.close()
    else this.#idle.put(key, connection)
  }

  /** A stream of bytes to an endpoint. */
  async connect(endpoint: Endpoint, options: Pick<CallOptions, 'connectTimeoutMs' | 'signal'>): Promise<Duplex> {
    return await this.#connector.open(endpoint, options.connectTimeoutMs, options.signal)
  }

  close(): void {
    this.#closed = true
    this.#idle.close()
    this.#http2.close()
  }
}
