import { type ClientHttp2Session, connect } from 'node:http2'
import { type Clock, messageOf } from '@ambit/core'
import {
  HTTP2_CONNECTION_WINDOW_BYTES,
  HTTP2_STREAM_WINDOW_BYTES,
  MAX_HEADER_BYTES,
  MAX_HEADER_LINES,
  MAX_HTTP2_PER_ENDPOINT,
  MAX_HTTP2_SESSION_MEMORY_MB,
  MAX_HTTP2_STREAMS,
  UPSTREAM_IDLE_MS,
} from '../limits.ts'
import { type Endpoint, type EndpointConnector, endpointKey } from './endpoint-connector.ts'
import { UpstreamError } from './errors.ts'
import { Http2Call } from './http2-call.ts'
import type { CallEvents, UpstreamCall, UpstreamRequest } from './upstream.types.ts'

interface Pooled {
  readonly session: ClientHttp2Session
  streams: number
  idle: Disposable | undefined
}

export interface Http2PoolOptions {
  readonly connectTimeoutMs: number
  readonly signal: AbortSignal
}

/** HTTP/2 connections to endpoints, each shared by as many requests as its peer allows. */
export class Http2Pool {
  readonly #connector: EndpointConnector
  readonly #clock: Clock
  readonly #byEndpoint = new Map<string, Set<Pooled>>()
  readonly #connecting = new Map<string, Promise<Pooled>>()

  constructor(components: { readonly connector: EndpointConnector; readonly clock: Clock }) {
    this.#connector = components.connector
    this.#clock = components.clock
  }

  async call(
    endpoint: Endpoint,
    request: UpstreamRequest,
    options: Http2PoolOptions,
    events: CallEvents,
  ): Promise<UpstreamCall> {
    const key = endpointKey(endpoint)
    const pooled = this.#free(key) ?? (await this.#connect(key, endpoint, options))
    pooled.idle?.[Symbol.dispose]()
    if (pooled.session.destroyed || pooled.session.closed) {
      throw new UpstreamError('terminated', 'the connection ended before the request', { sent: false })
    }
    pooled.streams++
    try {
      return new Http2Call(pooled.session, request, events, () => this.#released(pooled))
    } catch (cause) {
      this.#released(pooled)
      throw new UpstreamError('protocol-error', `not a request of HTTP/2: ${messageOf(cause)}`, { cause, sent: false })
    }
  }

  close(): void {
    for (const sessions of this.#byEndpoint.values()) for (const { session } of sessions) session.destroy()
  }

  #free(key: string): Pooled | undefined {
    for (const pooled of this.#byEndpoint.get(key) ?? []) {
      const limit = Math.min(
        pooled.session.remoteSettings?.maxConcurrentStreams ?? MAX_HTTP2_STREAMS,
        MAX_HTTP2_STREAMS,
      )
      if (!pooled.session.closed && !pooled.session.destroyed && pooled.streams < limit) return pooled
    }
    return undefined
  }

  async #connect(key: string, endpoint: Endpoint, options: Http2PoolOptions): Promise<Pooled> {
    // Who comes while a connection is being made shares it.
    const underWay = this.#connecting.get(key)
    if (underWay !== undefined) {
      // Its failure may be of its own making: its client left.
      await underWay.catch(() => undefined)
      const shared = this.#free(key)
      if (shared !== undefined) return shared
    }
    if ((this.#byEndpoint.get(key)?.size ?? 0) >= MAX_HTTP2_PER_ENDPOINT) {
      throw new UpstreamError('overflow', `${MAX_HTTP2_PER_ENDPOINT} HTTP/2 connections to one endpoint are full`, {
        sent: false,
      })
    }
    const attempt = this.#dial(key, endpoint, options)
    this.#connecting.set(key, attempt)
    try {
      return await attempt
    } finally {
      if (this.#connecting.get(key) === attempt) this.#connecting.delete(key)
    }
  }

  async #dial(key: string, endpoint: Endpoint, { connectTimeoutMs, signal }: Http2PoolOptions): Promise<Pooled> {
    const stream = await this.#connector.open(endpoint, connectTimeoutMs, signal, 'h2')
    stream.on('error', () => undefined)
    const options = {
      createConnection: () => stream,
      maxSessionMemory: MAX_HTTP2_SESSION_MEMORY_MB,
      maxHeaderListPairs: MAX_HEADER_LINES,
      strictSingleValueFields: false,
      settings: {
        enablePush: false,
        initialWindowSize: HTTP2_STREAM_WINDOW_BYTES,
        maxHeaderListSize: MAX_HEADER_BYTES,
      },
    }
    const session = connect('http://endpoint.invalid', options)
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(HTTP2_CONNECTION_WINDOW_BYTES)
    })
    const pooled: Pooled = { session, streams: 0, idle: undefined }
    const sessions = this.#byEndpoint.get(key) ?? new Set()
    this.#byEndpoint.set(key, sessions.add(pooled))
    const forget = (): void => {
      pooled.idle?.[Symbol.dispose]()
      if (sessions.delete(pooled) && sessions.size === 0 && this.#byEndpoint.get(key) === sessions)
        this.#byEndpoint.delete(key)
    }
    session.on('error', () => undefined)
    session.once('goaway', forget)
    session.once('close', () => {
      forget()
      stream.destroy()
    })
    return pooled
  }

  #released(pooled: Pooled): void {
    pooled.streams--
    if (pooled.streams > 0) return
    pooled.idle = this.#clock.after(UPSTREAM_IDLE_MS, () => {
      if (pooled.streams === 0) pooled.session.close()
    })
  }
}
