import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { ERROR_CODE, type HeaderList, Http2ConnectionError } from '@ambit/http2'
import {
  HEADERS_CHECK_MS,
  HTTP2_IDLE_FRAME_BURST,
  HTTP2_IDLE_FRAMES_PER_SECOND,
  HTTP2_MAX_REJECTED_STREAMS,
  HTTP2_RESET_BURST,
  HTTP2_RESETS_PER_SECOND,
  IDLE_TIMEOUT_MS,
  MAX_HEADER_LINES,
  MAX_HTTP2_STREAMS,
  MAX_TARGET_LENGTH,
  REQUEST_HEADERS_TIMEOUT_MS,
} from '../limits.ts'
import type { FrontHandler } from './front.types.ts'
import { endToEnd, headerOf, OF_THE_HEAD } from './headers.ts'
import { Http2Carrier } from './http2-carrier.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { Http2StreamBody, type Stream } from './http2-stream-body.ts'
import { readPseudoHeaders } from './read-target.ts'

const BUDGETS = {
  resetBurst: HTTP2_RESET_BURST,
  resetsPerSecond: HTTP2_RESETS_PER_SECOND,
  idleFrameBurst: HTTP2_IDLE_FRAME_BURST,
  idleFramesPerSecond: HTTP2_IDLE_FRAMES_PER_SECOND,
  refusedStreams: HTTP2_MAX_REJECTED_STREAMS,
}

interface Open {
  readonly carrier: Http2Carrier
  /** Monotonic. */
  readonly openedMs: number
  /** Monotonic; since when no stream is open. */
  sinceMs: number
}

/** HTTP/2 of clients, by prior knowledge or ALPN. The framing ends connections that flood it; the budgets are ours. */
export class Http2Front {
  readonly #clock: Clock
  readonly #headersTimeoutMs: number
  readonly #open = new Map<Duplex, Open>()
  #check: Disposable | undefined
  #isDraining = false

  constructor({ clock }: { readonly clock: Clock }, options: { readonly headersTimeoutMs?: number | undefined } = {}) {
    this.#clock = clock
    this.#headersTimeoutMs = options.headersTimeoutMs ?? REQUEST_HEADERS_TIMEOUT_MS
  }

  get size(): number {
    return this.#open.size
  }

  /** Takes over the stream; resolves when it is closed. */
  serve(stream: Duplex, handler: FrontHandler): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const clock = this.#clock
    const carrier = new Http2Carrier(
      { stream, clock },
      { role: 'server', maxConcurrentStreams: MAX_HTTP2_STREAMS, budgets: BUDGETS },
      {
        onStream: (each, headers, isEnd) => {
          onStream(carrier, each, headers, isEnd, handler)
          // Who has not heard yet is served once, and told.
          if (this.#isDraining) carrier.close()
        },
        onStreamOver: () => {
          open.sinceMs = clock.monotonic()
        },
        onFailure: (error) => handler.protocolError({ status: 0, reason: error.message }),
        onClosed: () => {
          this.#open.delete(stream)
          resolve()
        },
      },
    )
    const openedMs = clock.monotonic()
    const open: Open = { carrier, openedMs, sinceMs: openedMs }
    this.#open.set(stream, open)
    this.#check ??= this.#checkLater()
    return promise
  }

  /** No new requests on this connection. */
  leave(stream: Duplex): void {
    this.#open.get(stream)?.carrier.close()
  }

  /** No new requests on the connections there are: GOAWAY, and each ends with its last request. */
  drain(): void {
    this.#isDraining = true
    for (const { carrier } of this.#open.values()) carrier.close()
  }

  close(): void {
    this.#check?.[Symbol.dispose]()
    for (const { carrier } of [...this.#open.values()]) carrier.cut()
  }

  /** One timer for all, and none while nothing is open. */
  #checkLater(): Disposable {
    return this.#clock.after(HEADERS_CHECK_MS, () => {
      const now = this.#clock.monotonic()
      for (const open of this.#open.values()) {
        const late = lateness(open, now - this.#headersTimeoutMs)
        if (late !== undefined) open.carrier.connection.fail(late)
        else if (open.carrier.connection.streamCount === 0 && open.sinceMs <= now - IDLE_TIMEOUT_MS)
          open.carrier.close()
      }
      this.#check = this.#open.size > 0 ? this.#checkLater() : undefined
    })
  }
}

/** What has not come to its end though it began so long ago. */
function lateness({ carrier: { connection }, openedMs }: Open, oldestMs: number): Http2ConnectionError | undefined {
  const { isSettled, headSinceMs } = connection
  if (!isSettled && openedMs <= oldestMs)
    return new Http2ConnectionError(ERROR_CODE.settingsTimeout, 'the client did not send its SETTINGS in time')
  if (headSinceMs === undefined || headSinceMs > oldestMs) return undefined
  return new Http2ConnectionError(ERROR_CODE.enhanceYourCalm, 'the head of a request did not come to its end in time')
}

function onStream(
  carrier: Http2Carrier,
  stream: Stream,
  headers: HeaderList,
  isEnd: boolean,
  handler: FrontHandler,
): void {
  const refuse = (status: number, reason: string): void => {
    handler.protocolError({ status, reason })
    carrier.connection.respond(stream, [':status', String(status), 'server', 'istio-envoy'], true)
    if (!isEnd) carrier.reset(stream, ERROR_CODE.noError)
    carrier.touched()
  }
  if (headers.length > 2 * MAX_HEADER_LINES) {
    handler.protocolError({ status: 0, reason: 'too many header lines' })
    return carrier.blame(stream, ERROR_CODE.enhanceYourCalm)
  }
  const method = headerOf(headers, ':method') ?? ''
  const target = headerOf(headers, ':path') ?? ''
  if (target.length > MAX_TARGET_LENGTH) return refuse(414, 'the request target is too long')
  if (!/^[!#$%&'*+.^_`|~0-9A-Z-]+$/.test(method)) return refuse(400, 'a method that is none')
  // Extended CONNECT was not offered.
  if (headerOf(headers, ':protocol') !== undefined) return refuse(400, ':protocol was not offered')
  const parts = readPseudoHeaders({
    method,
    scheme: headerOf(headers, ':scheme'),
    authority: headerOf(headers, ':authority'),
    path: headerOf(headers, ':path'),
    raw: headers,
  })
  if (!parts.ok) return refuse(400, parts.reason)
  const kept = endToEnd(headers, OF_THE_HEAD)
  if (isEnd && !['0', undefined].includes(headerOf(kept, 'content-length')))
    return refuse(400, 'a length without a body')
  const body = new Http2StreamBody(carrier, stream)
  if (!body.expect(kept)) return refuse(400, 'Content-Length is no length')
  const exchange = new Http2Exchange(
    carrier,
    stream,
    {
      version: 'HTTP/2',
      method,
      scheme: parts.scheme,
      authority: parts.authority,
      target: parts.target,
      headers: kept,
      isBodiless: isEnd,
      upgrade: method === 'CONNECT' ? 'CONNECT' : undefined,
    },
    body,
  )
  stream.owner = exchange
  if (isEnd) body.onEnd()
  handler.request(exchange)
  return undefined
}
