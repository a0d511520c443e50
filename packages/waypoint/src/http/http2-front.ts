import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { cut } from '@ambit/hbone'
import type { HeaderList } from '@ambit/route'
import {
  HTTP2_CONNECTION_WINDOW_BYTES,
  HTTP2_MAX_INVALID_FRAMES,
  HTTP2_MAX_OUTSTANDING,
  HTTP2_MAX_REJECTED_STREAMS,
  HTTP2_RESET_BURST,
  HTTP2_RESETS_PER_SECOND,
  HTTP2_STREAM_WINDOW_BYTES,
  IDLE_TIMEOUT_MS,
  MAX_HEADER_BYTES,
  MAX_HEADER_LINES,
  MAX_HTTP2_SESSION_MEMORY_MB,
  MAX_HTTP2_STREAMS,
  MAX_TARGET_LENGTH,
} from '../limits.ts'
import type { FrontHandler } from './front.types.ts'
import { endToEnd, headerOf, OF_THE_HEAD, trailerLines } from './headers.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { readPseudoHeaders } from './read-target.ts'

const { NGHTTP2_FLAG_END_STREAM } = constants

/** HTTP/2 of clients, by prior knowledge or ALPN. Node ends sessions that flood it; the budgets are ours. */
export class Http2Front {
  readonly #open = new Set<ServerHttp2Session>()
  readonly #byStream = new WeakMap<Duplex, ServerHttp2Session>()
  #draining = false

  get size(): number {
    return this.#open.size
  }

  /** Takes over the stream; resolves when it is closed. */
  serve(stream: Duplex, handler: FrontHandler): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const session = performServerHandshake(stream, {
      maxSessionMemory: MAX_HTTP2_SESSION_MEMORY_MB,
      maxHeaderListPairs: MAX_HEADER_LINES,
      maxSessionInvalidFrames: HTTP2_MAX_INVALID_FRAMES,
      maxSessionRejectedStreams: HTTP2_MAX_REJECTED_STREAMS,
      maxOutstandingPings: HTTP2_MAX_OUTSTANDING,
      maxOutstandingSettings: HTTP2_MAX_OUTSTANDING,
      streamResetBurst: HTTP2_RESET_BURST,
      streamResetRate: HTTP2_RESETS_PER_SECOND,
      // What applications repeat goes on as they sent it.
      strictSingleValueFields: false,
      settings: {
        enablePush: false,
        maxConcurrentStreams: MAX_HTTP2_STREAMS,
        initialWindowSize: HTTP2_STREAM_WINDOW_BYTES,
        maxHeaderListSize: MAX_HEADER_BYTES,
      },
    } as Parameters<typeof performServerHandshake>[1])
    session.setLocalWindowSize(HTTP2_CONNECTION_WINDOW_BYTES)
    session.setTimeout(IDLE_TIMEOUT_MS, () => session.close())
    this.#open.add(session)
    this.#byStream.set(stream, session)
    session.on('error', (error) => handler.protocolError({ status: 0, reason: error.message }))
    session.on('stream', (request, headers, flags, raw) => onStream(request, headers, flags, raw, handler))
    stream.once('close', () => session.destroy())
    session.once('close', () => {
      this.#open.delete(session)
      if (!stream.destroyed) cut(stream)
      resolve()
    })
    // Who has not heard yet is served once, and told.
    if (this.#draining) session.once('stream', () => session.close())
    return promise
  }

  /** No new requests on this connection. */
  leave(stream: Duplex): void {
    this.#byStream.get(stream)?.close()
  }

  /** No new requests on the connections there are: GOAWAY, and each ends with its last request. */
  drain(): void {
    this.#draining = true
    for (const session of this.#open) session.close()
  }

  close(): void {
    for (const session of this.#open) session.destroy()
  }
}

function onStream(
  stream: ServerHttp2Stream,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  flags: number,
  raw: HeaderList,
  handler: FrontHandler,
): void {
  const text = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'string' ? value : undefined
  }
  const refuse = (status: number, reason: string): void => {
    handler.protocolError({ status, reason })
    stream.on('error', () => undefined)
    if (!stream.destroyed && !stream.closed)
      stream.respond([':status', String(status), 'server', 'istio-envoy'], {
        endStream: true,
        sendDate: false,
      } as object)
  }
  const method = text(':method') ?? ''
  const target = text(':path') ?? ''
  if (target.length > MAX_TARGET_LENGTH) return refuse(414, 'the request target is too long')
  const parts = readPseudoHeaders({
    method,
    scheme: text(':scheme'),
    authority: text(':authority'),
    path: text(':path'),
    raw,
  })
  if (!parts.ok) return refuse(400, parts.reason)
  let trailers: HeaderList = []
  stream.on('trailers', (_headers: object, _flags: number, rawTrailers?: string[]) => {
    trailers = trailerLines(rawTrailers ?? [])
  })
  const kept = endToEnd(raw, OF_THE_HEAD)
  const isBodiless = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
  if (isBodiless && !['0', undefined].includes(headerOf(kept, 'content-length')))
    return refuse(400, 'a length without a body')
  handler.request(
    new Http2Exchange(
      stream,
      {
        version: 'HTTP/2',
        method,
        scheme: parts.scheme,
        authority: parts.authority,
        target: parts.target,
        headers: kept,
        isBodiless,
        upgrade: method === 'CONNECT' ? 'CONNECT' : undefined,
      },
      () => trailers,
    ),
  )
}
