import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type Http2Session,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type SessionOptions,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { CONNECTION_WINDOW_BYTES, FRAME_BYTES, STREAM_WINDOW_BYTES } from './defaults.ts'
import type {
  ClientSession,
  ClientStream,
  Engine,
  EngineSession,
  HeaderMap,
  ServeOptions,
  ServerSession,
  ServerStream,
  TunnelStream,
} from './engine.types.ts'
import { HboneConnectError } from './errors.ts'
import {
  MAX_CLIENT_HEADER_LIST_BYTES,
  MAX_CONCURRENT_STREAMS,
  MAX_SERVER_HEADER_LIST_BYTES,
  MAX_SESSION_MEMORY_MB,
  MAX_STREAMS_PER_CONNECTION,
  STREAM_RESET_BURST,
  STREAM_RESET_PER_SECOND,
} from './limits.ts'
import { unanswered } from './unanswered.ts'

/** Streams have 31-bit numbers (RFC 9113 §5.1.1). */
const HIGHEST_STREAM_ID = 0x7fffffff
const WINDOWS = { initialWindowSize: STREAM_WINDOW_BYTES, maxFrameSize: FRAME_BYTES }
const SESSION = {
  maxSessionMemory: MAX_SESSION_MEMORY_MB,
  streamResetBurst: STREAM_RESET_BURST,
  streamResetRate: STREAM_RESET_PER_SECOND,
}
const CLIENT: SessionOptions = {
  ...SESSION,
  // What Istio assumes until the peer's SETTINGS arrive.
  peerMaxConcurrentStreams: MAX_STREAMS_PER_CONNECTION,
  settings: { ...WINDOWS, enablePush: false, maxHeaderListSize: MAX_CLIENT_HEADER_LIST_BYTES },
}
const SERVER: SessionOptions = {
  ...SESSION,
  settings: {
    ...WINDOWS,
    maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
    maxHeaderListSize: MAX_SERVER_HEADER_LIST_BYTES,
  },
}

function serverOptions({ maxConcurrentStreams }: ServeOptions): SessionOptions {
  return maxConcurrentStreams === undefined
    ? SERVER
    : { ...SERVER, settings: { ...SERVER.settings, maxConcurrentStreams } }
}

/** HTTP/2 by Node's own implementation, with Istio's windows. */
export const nodeHttp2Engine: Engine = {
  name: 'node:http2',
  connect: (tls) => new NodeClientSession(tls),
  serve: (tls, onStream, options) => new NodeServerSession(tls, onStream, options),
}

class NodeSession<T extends Http2Session> implements EngineSession {
  protected readonly session: T
  readonly closed: Promise<Error | undefined>
  streamCount = 0
  readonly #tls: TLSSocket

  constructor(session: T, tls: TLSSocket) {
    this.session = session
    this.#tls = tls
    const { promise, resolve } = Promise.withResolvers<Error | undefined>()
    this.closed = promise
    let failure: Error | undefined
    session.on('error', (error) => {
      failure ??= error
    })
    session.once('close', () => resolve(failure))
  }

  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      const refused = (): void => reject(new HboneConnectError('the connection is closed'))
      if (this.session.destroyed) refused()
      else if (!this.session.ping((error) => (error === null ? resolve() : reject(error)))) refused()
    })
  }

  destroy(): void {
    this.session.destroy()
    // A session that was told to close before would only end its half and wait for the peer's, which may be gone without a word.
    this.#tls.destroy()
  }

  protected count(stream: TunnelStream): void {
    this.streamCount++
    stream.once('close', () => this.streamCount--)
    // Resets are told apart by rstCode; without a listener they would end the process.
    stream.on('error', () => undefined)
  }
}

class NodeClientSession extends NodeSession<ClientHttp2Session> implements ClientSession {
  readonly settled: Promise<void>
  peerMaxStreams: number | undefined

  constructor(tls: TLSSocket) {
    // The URL names nothing: the socket is there already.
    super(connect('https://hbone.invalid', { ...CLIENT, createConnection: () => tls }), tls)
    this.session.once('connect', () => {
      if (!this.session.destroyed) this.session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.settled = promise
    this.session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      this.peerMaxStreams = maxConcurrentStreams ?? Number.POSITIVE_INFINITY
      resolve()
    })
    void this.closed.then(() => resolve())
    // Pooled connections do not keep a process alive; what runs over them does.
    this.session.unref()
  }

  get usable(): boolean {
    return !this.session.closed && !this.session.destroyed
  }

  close(): void {
    if (this.usable) this.session.close()
  }

  request(authority: string, headers: Readonly<Record<string, string>>): ClientStream {
    const stream = this.session.request({ ...headers, ':method': 'CONNECT', ':authority': authority })
    this.count(stream)
    const response = this.#response(stream)
    response.catch(() => undefined)
    return { stream, response }
  }

  #response(stream: ClientHttp2Stream): ClientStream['response'] {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; headers: HeaderMap }>()
    let failure: Error | undefined
    let answered = false
    stream.once('error', (error) => {
      failure = error
    })
    stream.once('close', () => {
      // An error with its stack for every stream that ended well would cost more than the rest of this.
      if (!answered) reject(unanswered(stream.rstCode, failure))
    })
    stream.once('response', (headers) => {
      answered = true
      resolve({ status: headers[':status'] ?? 0, headers: regularHeaders(headers) })
    })
    return promise
  }
}

class NodeServerSession extends NodeSession<ServerHttp2Session> implements ServerSession {
  constructor(tls: TLSSocket, onStream: (stream: ServerStream) => void, options: ServeOptions = {}) {
    super(performServerHandshake(tls, serverOptions(options)), tls)
    this.session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    this.session.on('stream', (stream, headers) => {
      this.count(stream)
      onStream(new NodeServerStream(stream, headers))
    })
  }

  announceDrain(): void {
    if (!this.session.destroyed) this.session.goaway(constants.NGHTTP2_NO_ERROR, HIGHEST_STREAM_ID)
  }

  finishDrain(): void {
    if (this.session.destroyed) return
    this.session.close()
    // After a GOAWAY with the highest id Node waits for streams that nobody may open any more, so an idle one is ended here.
    if (this.streamCount === 0) this.session.destroy()
  }
}

class NodeServerStream implements ServerStream {
  readonly method: string
  readonly authority: string | undefined
  readonly isPlainConnect: boolean
  readonly headers: HeaderMap
  readonly #stream: ServerHttp2Stream
  #gone: AbortController | undefined

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream
    this.method = headers[':method'] ?? ''
    this.authority = headers[':authority']
    this.isPlainConnect =
      headers[':scheme'] === undefined && headers[':path'] === undefined && headers[':protocol'] === undefined
    this.headers = regularHeaders(headers)
  }

  /** Made on demand: most requests are over before anybody asks. */
  get signal(): AbortSignal {
    if (this.#gone !== undefined) return this.#gone.signal
    const gone = new AbortController()
    this.#gone = gone
    this.onGone(() => gone.abort(new HboneConnectError('the client closed the stream')))
    return gone.signal
  }

  onGone(listener: () => void): () => void {
    const stream = this.#stream
    if (stream.destroyed || stream.aborted) listener()
    else {
      stream.once('aborted', listener)
      stream.once('close', listener)
    }
    return () => {
      stream.off('aborted', listener)
      stream.off('close', listener)
    }
  }

  accept(headers: Readonly<Record<string, string>>): TunnelStream {
    if (!this.#stream.destroyed && !this.#stream.closed) {
      this.#stream.respond({ ...headers, ':status': 200 }, { sendDate: false } as object)
    }
    return this.#stream
  }

  reject(status: number): void {
    if (this.#stream.destroyed || this.#stream.closed || this.#stream.headersSent) return
    // Nothing was read, so once this is sent Node itself tells a client that is still sending to stop: RST_STREAM NO_ERROR.
    this.#stream.respond({ ':status': status }, { endStream: true, sendDate: false } as object)
  }
}

function regularHeaders(headers: IncomingHttpHeaders): HeaderMap {
  // No prototype: the peer picks the names.
  const regular: Record<string, string | string[] | undefined> = Object.create(null)
  for (const name in headers) if (name.charCodeAt(0) !== COLON) regular[name] = headers[name]
  return regular
}

const COLON = ':'.charCodeAt(0)
