import { type Clock, messageOf } from '@ambit/core'
import { Http2Carrier } from '../http/http2-carrier.ts'
import { MAX_HTTP2_PER_ENDPOINT, MAX_HTTP2_STREAMS, UPSTREAM_IDLE_MS } from '../limits.ts'
import { type Endpoint, type EndpointConnector, endpointKey } from './endpoint-connector.ts'
import { UpstreamError } from './errors.ts'
import { Http2Call } from './http2-call.ts'
import type { CallEvents, UpstreamCall, UpstreamRequest } from './upstream.types.ts'

interface Pooled {
  readonly carrier: Http2Carrier
  /** Monotonic; since when it has no stream. */
  sinceMs: number
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
  #check: Disposable | undefined

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
    if (!pooled.carrier.isUsable) {
      throw new UpstreamError('terminated', 'the connection ended before the request', { sent: false })
    }
    try {
      return new Http2Call(pooled.carrier, request, events)
    } catch (cause) {
      throw new UpstreamError('protocol-error', `not a request of HTTP/2: ${messageOf(cause)}`, { cause, sent: false })
    }
  }

  close(): void {
    this.#check?.[Symbol.dispose]()
    for (const all of [...this.#byEndpoint.values()]) for (const { carrier } of [...all]) carrier.cut()
  }

  #free(key: string): Pooled | undefined {
    for (const pooled of this.#byEndpoint.get(key) ?? []) {
      const { connection, isUsable } = pooled.carrier
      const limit = Math.min(connection.peerSettings.maxConcurrentStreams, MAX_HTTP2_STREAMS)
      if (isUsable && connection.streamCount < limit) return pooled
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
    const all = this.#byEndpoint.get(key) ?? new Set()
    const forget = (): void => {
      if (all.delete(pooled) && all.size === 0 && this.#byEndpoint.get(key) === all) this.#byEndpoint.delete(key)
    }
    const carrier = new Http2Carrier(
      { stream, clock: this.#clock },
      { role: 'client' },
      {
        onStreamOver: () => {
          pooled.sinceMs = this.#clock.monotonic()
        },
        onGoaway: () => {
          forget()
          carrier.close()
        },
        onClosed: forget,
      },
    )
    const pooled: Pooled = { carrier, sinceMs: this.#clock.monotonic() }
    this.#byEndpoint.set(key, all.add(pooled))
    this.#check ??= this.#checkLater()
    return pooled
  }

  /** One timer for all, and none while there is nothing. */
  #checkLater(): Disposable {
    return this.#clock.after(CHECK_MS, () => {
      const oldest = this.#clock.monotonic() - UPSTREAM_IDLE_MS + CHECK_MS
      for (const all of [...this.#byEndpoint.values()]) {
        for (const { carrier, sinceMs } of [...all])
          if (carrier.connection.streamCount === 0 && sinceMs <= oldest) carrier.close()
      }
      this.#check = this.#byEndpoint.size > 0 ? this.#checkLater() : undefined
    })
  }
}

/** Idle connections are looked at this often, and closed when they would be too old by the next time. */
const CHECK_MS: number = UPSTREAM_IDLE_MS / 4
