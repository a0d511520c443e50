import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'

/** Header names in lower case, pseudo-headers left out. */
export type HeaderMap = Readonly<Record<string, string | string[] | undefined>>

/**
 * HTTP/2 over a secured socket. Everything above (pool, server, splice) sees only this, so that engines can be exchanged.
 * Payload streams: `end()` is END_STREAM, {@link TunnelStream.reset} is RST_STREAM CANCEL.
 */
export interface Engine {
  readonly name: string
  connect(tls: TLSSocket): ClientSession
  serve(tls: TLSSocket, onStream: (stream: ServerStream) => void, options?: ServeOptions): ServerSession
}

export interface ServeOptions {
  /** SETTINGS_MAX_CONCURRENT_STREAMS; Istio's for ztunnel when absent. */
  readonly maxConcurrentStreams?: number | undefined
}

export interface TunnelStream extends Duplex {
  /** The code of a RST_STREAM seen or sent, RFC 9113 §7; undefined while there is none. */
  readonly rstCode?: number | undefined
}

export interface EngineSession {
  /** Streams that are open. */
  readonly streamCount: number
  /** Settles, never rejects, when the connection is gone; with the error if there was one. */
  readonly closed: Promise<Error | undefined>
  /** Resolves with the answer to a PING; rejects when the session ends before. */
  ping(): Promise<void>
  /** At once; streams are reset. */
  destroy(): void
}

export interface ClientSession<Stream = TunnelStream> extends EngineSession {
  /** Whether another stream may be opened: no GOAWAY, not closed. */
  readonly usable: boolean
  /** Whether another stream would wait behind bulk of somebody else's; where that is measured. */
  readonly carriesBulk?: boolean
  /** SETTINGS_MAX_CONCURRENT_STREAMS of the peer; undefined until its SETTINGS arrived. */
  readonly peerMaxStreams: number | undefined
  /** Resolves when the peer's SETTINGS arrived or the session ended. */
  readonly settled: Promise<void>
  /** No new streams; the connection ends with its last one. */
  close(): void
  request(authority: string, headers: Readonly<Record<string, string>>): ClientStream<Stream>
}

export interface ClientStream<Stream = TunnelStream> {
  readonly stream: Stream
  /** Rejects with HboneResetError or HboneConnectError when the stream ends unanswered. */
  /** Marked as handled: whoever opened the stream may give up on it. */
  readonly response: Promise<{ readonly status: number; readonly headers: HeaderMap }>
}

export interface ServerSession extends EngineSession {
  /** GOAWAY with the highest stream id: "open nothing new", while what is on its way is still served. */
  announceDrain(): void
  /** GOAWAY with the id of the last stream served; the connection ends with its last stream. */
  finishDrain(): void
}

/** A CONNECT of a peer, as the engine tells it. */
export interface ServerStream<Stream = TunnelStream> {
  readonly method: string
  readonly authority: string | undefined
  /** Neither `:scheme` nor `:path` nor `:protocol`. */
  readonly isPlainConnect: boolean
  readonly headers: HeaderMap
  readonly signal: AbortSignal
  /** Calls once or twice when the stream is gone, at once if it is; answers how to stop that. Cheaper than a signal. */
  onGone(listener: () => void): () => void
  accept(headers: Readonly<Record<string, string>>): Stream
  reject(status: number): void
}
