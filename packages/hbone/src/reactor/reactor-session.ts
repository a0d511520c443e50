import { closeSync } from 'node:fs'
import { PING_INTERVAL_MS, PING_TIMEOUT_MS } from '../defaults.ts'
import type { HeaderMap, ServerStream } from '../engine.types.ts'
import { HboneConnectError } from '../errors.ts'
import { MAX_CLIENT_HEADER_LIST_BYTES, MAX_CONCURRENT_STREAMS, MAX_SERVER_HEADER_LIST_BYTES } from '../limits.ts'
import type { LivenessOptions } from '../liveness.ts'
import { regularHeaders } from '../regular-headers.ts'
import { unanswered } from '../unanswered.ts'
import type { HandleId, Headers } from './messages.types.ts'
import type { ReactorConnection } from './reactor-connection.ts'
import {
  type ReactorConnectOptions,
  type ReactorCopy,
  type ReactorCopyOptions,
  type ReactorJoined,
  TunnelAnswer,
} from './reactor-copies.ts'
import { type EventWithId, ReactorHandle, type ReactorPort } from './reactor-handle.ts'

/** The payload of a CONNECT, to be copied to or from something else. */
export class ReactorTunnel extends ReactorHandle {
  /** The code of a RST_STREAM of the peer before anything was copied. */
  rstCode: number | undefined
  /** Nobody waits for one on the server. */
  #answer: PromiseWithResolvers<ReactorAnswer> | undefined

  /** Of the client: what the server answers. To be asked for when the request is sent. */
  get response(): Promise<ReactorAnswer> {
    if (this.#answer === undefined) {
      this.#answer = Promise.withResolvers()
      this.#answer.promise.catch(() => undefined)
    }
    return this.#answer.promise
  }

  once(_event: 'close', listener: () => void): void {
    this.onGone(listener)
  }

  hear(event: EventWithId): void {
    if (event.kind === 'answered') {
      this.#answer?.resolve(answerOf(event.headers))
      return
    }
    if (event.kind !== 'gone') return
    if (typeof event.code === 'number') this.rstCode = event.code
    this.over()
  }

  override over(): void {
    super.over()
    this.#answer?.reject(unanswered(this.rstCode, undefined))
  }
}

export interface ReactorAcceptOptions extends ReactorConnectOptions {
  /** Of the answer. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A CONNECT of the peer, to be answered once. */
export class ReactorRequest implements ServerStream<ReactorTunnel> {
  readonly method: string
  readonly authority: string | undefined
  /** Neither `:scheme` nor `:path` nor `:protocol`. */
  readonly isPlainConnect: boolean
  readonly headers: HeaderMap
  readonly #port: ReactorPort
  readonly #tunnel: ReactorTunnel
  #answered = false
  #aborting: AbortController | undefined

  constructor(port: ReactorPort, id: HandleId, headers: Headers) {
    const of = (name: string): string | undefined => {
      const at = headers.findIndex((other, index) => index % 2 === 0 && other === name)
      return at < 0 ? undefined : headers[at + 1]
    }
    this.#port = port
    this.#tunnel = new ReactorTunnel(port, id)
    this.method = of(':method') ?? ''
    this.authority = of(':authority')
    this.isPlainConnect = [':scheme', ':path', ':protocol'].every((name) => of(name) === undefined)
    this.headers = regularHeaders(headers)
  }

  /** Aborts when the stream is gone. Made when it is asked for: listeners of `onGone` cost less. */
  get signal(): AbortSignal {
    if (this.#aborting === undefined) {
      const aborting = new AbortController()
      this.#aborting = aborting
      this.#tunnel.onGone(() => aborting.abort(new HboneConnectError('the stream is gone')))
    }
    return this.#aborting.signal
  }

  /** Calls once when the stream is gone, or a copy that it was in is; at once if it is. Answers how to stop that. */
  onGone(listener: () => void): () => void {
    return this.#tunnel.onGone(listener)
  }

  /** Answers 200 and hands over the payload. */
  accept(headers: Readonly<Record<string, string>> = {}): ReactorTunnel {
    this.#send([':status', '200', ...Object.entries(headers).flat()], false)
    return this.#tunnel
  }

  /**
   * Takes over the descriptor of an unconnected socket and connects it; then answers 200 and copies, all in the worker. When it cannot
   * be connected this rejects, and the request is still to be answered.
   */
  async acceptAndConnect(fd: number, options: ReactorAcceptOptions): Promise<ReactorJoined> {
    if (this.#answered) {
      closeSync(fd)
      throw new HboneConnectError('the request is answered already')
    }
    this.#answered = true
    const headers = Object.entries(options.headers ?? {}).flat()
    try {
      return await this.#port.copies.joinConnection(this.#tunnel, fd, headers, options)
    } catch (error) {
      this.#answered = false
      throw error
    }
  }

  reject(status: number): void {
    if (!this.#send([':status', String(status)], true)) return
    this.#tunnel.over()
  }

  /** Its handler has failed: nobody would ever end what was accepted. */
  abandon(): void {
    this.reject(503)
    this.#tunnel.cut()
  }

  #send(headers: Headers, isEnd: boolean): boolean {
    if (this.#answered || this.#tunnel.isClosed) return false
    this.#answered = true
    this.#port.post({ kind: 'answer', id: this.#tunnel.id, headers, isEnd })
    return true
  }
}

export interface ReactorServeOptions extends LivenessOptions {
  readonly maxConcurrentStreams?: number | undefined
}

/** HTTP/2 on a connection whose peer was found to be the right one. */
abstract class ReactorSession {
  /** Settles, never rejects, when the connection is gone; with the error if there was one. */
  readonly closed: Promise<Error | undefined>
  streamCount = 0
  protected readonly port: ReactorPort
  protected readonly connection: ReactorConnection
  readonly #over: (failure: Error | undefined) => void
  #pings: PromiseWithResolvers<void>[] = []

  protected constructor(
    port: ReactorPort,
    connection: ReactorConnection,
    options: ReactorServeOptions & { readonly isServer: boolean; readonly maxHeaderListBytes: number },
  ) {
    const { promise, resolve } = Promise.withResolvers<Error | undefined>()
    this.closed = promise
    this.#over = resolve
    this.port = port
    this.connection = connection
    connection.become((event) => this.hear(event))
    connection.onGone(() => this.#gone(undefined))
    port.post({
      kind: 'session',
      id: connection.id,
      options: {
        isServer: options.isServer,
        maxHeaderListBytes: options.maxHeaderListBytes,
        maxConcurrentStreams: options.maxConcurrentStreams ?? MAX_CONCURRENT_STREAMS,
        pingIntervalMs: options.intervalMs ?? PING_INTERVAL_MS,
        pingTimeoutMs: options.timeoutMs ?? PING_TIMEOUT_MS,
      },
    })
  }

  /** Resolves with the next answer to a PING; rejects when the session ends before. The worker watches over the peer by itself. */
  ping(): Promise<void> {
    const answer = Promise.withResolvers<void>()
    if (this.connection.isClosed) answer.reject(new HboneConnectError('the connection is closed'))
    else {
      this.#pings.push(answer)
      this.port.post({ kind: 'ping', id: this.connection.id })
    }
    return answer.promise
  }

  destroy(): void {
    this.connection.cut()
  }

  protected hear(event: EventWithId): void {
    if (event.kind === 'pong') {
      const pings = this.#pings
      this.#pings = []
      for (const ping of pings) ping.resolve()
    } else if (event.kind === 'gone') {
      this.#gone(event.failure === undefined ? undefined : new HboneConnectError(event.failure))
    }
  }

  protected count(tunnel: { onGone(listener: () => void): () => void }): void {
    this.streamCount++
    tunnel.onGone(() => {
      this.streamCount--
    })
  }

  #gone(failure: Error | undefined): void {
    const pings = this.#pings
    this.#pings = []
    for (const ping of pings) ping.reject(new HboneConnectError('the connection is closed', { cause: failure }))
    this.#over(failure)
  }
}

export interface ReactorAnswer {
  readonly status: number
  readonly headers: HeaderMap
}

function answerOf(headers: Headers): ReactorAnswer {
  return { status: Number(headers[1]), headers: regularHeaders(headers) }
}

function connectHeaders(authority: string, headers: Readonly<Record<string, string>>): Headers {
  return [':method', 'CONNECT', ':authority', authority, ...Object.entries(headers).flat()]
}

export class ReactorClientSession extends ReactorSession {
  /** Resolves when the peer's SETTINGS arrived or the session ended. */
  readonly settled: Promise<void>
  peerMaxStreams: number | undefined
  readonly #settle: () => void
  #isClosing = false
  /** Copies that move bulk. */
  #bulk = 0

  constructor(port: ReactorPort, connection: ReactorConnection, options: LivenessOptions = {}) {
    super(port, connection, { ...options, isServer: false, maxHeaderListBytes: MAX_CLIENT_HEADER_LIST_BYTES })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.settled = promise
    this.#settle = resolve
    void this.closed.then(() => resolve())
  }

  /** Whether another stream may be opened: no GOAWAY, not closed. */
  get usable(): boolean {
    return !this.#isClosing && !this.connection.isClosed
  }

  /** Whether another stream would wait behind bulk of somebody else's. */
  get carriesBulk(): boolean {
    return this.#bulk > 0
  }

  /** No new streams; the connection ends with its last one. */
  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    if (!this.connection.isClosed) this.port.post({ kind: 'close', id: this.connection.id })
  }

  request(
    authority: string,
    headers: Readonly<Record<string, string>>,
  ): { readonly stream: ReactorTunnel; readonly response: ReactorTunnel['response'] } {
    const stream = new ReactorTunnel(this.port, this.port.nextId())
    this.count(stream)
    const { response } = stream
    const list = connectHeaders(authority, headers)
    if (this.usable) this.port.post({ kind: 'request', id: stream.id, session: this.connection.id, headers: list })
    else stream.over()
    return { stream, response }
  }

  /** Asks for a tunnel and copies when it is accepted, all in the worker. With any other answer `connection` is left as it is. */
  requestAndCopy(
    authority: string,
    headers: Readonly<Record<string, string>>,
    connection: ReactorConnection,
    options: ReactorCopyOptions = {},
  ): { readonly stream: ReactorTunnel; readonly response: Promise<ReactorAnswer & { readonly copy?: ReactorCopy }> } {
    const stream = new ReactorTunnel(this.port, this.port.nextId())
    this.count(stream)
    const list = connectHeaders(authority, headers)
    const joined = this.port.copies.joinTunnel(connection, stream, this.connection.id, list, options)
    const response = joined.then(
      ({ copy, headers: answer = [] }) => ({ ...answerOf(answer), copy }),
      (reason: unknown) => {
        if (reason instanceof TunnelAnswer) return answerOf(reason.headers)
        throw reason
      },
    )
    response.catch(() => undefined)
    return { stream, response }
  }

  protected override hear(event: EventWithId): void {
    if (event.kind === 'settled') {
      this.peerMaxStreams = event.maxConcurrentStreams
      this.#settle()
    } else if (event.kind === 'goaway') {
      this.close()
    } else if (event.kind === 'bulk') {
      this.#bulk += event.isOver ? -1 : 1
    }
    super.hear(event)
  }
}

export class ReactorServerSession extends ReactorSession {
  readonly #onRequest: (request: ReactorRequest) => void

  constructor(
    port: ReactorPort,
    connection: ReactorConnection,
    onRequest: (request: ReactorRequest) => void,
    options: ReactorServeOptions = {},
  ) {
    super(port, connection, { ...options, isServer: true, maxHeaderListBytes: MAX_SERVER_HEADER_LIST_BYTES })
    this.#onRequest = onRequest
  }

  /** GOAWAY with the highest stream id: "open nothing new", while what is on its way is still served. */
  announceDrain(): void {
    this.port.post({ kind: 'drain', id: this.connection.id, isLast: false })
  }

  /** GOAWAY with the id of the last stream served; the connection ends with its last stream. */
  finishDrain(): void {
    this.port.post({ kind: 'drain', id: this.connection.id, isLast: true })
  }

  protected override hear(event: EventWithId): void {
    if (event.kind === 'requested') {
      const request = new ReactorRequest(this.port, event.id, event.headers)
      this.count(request)
      this.#onRequest(request)
    }
    super.hear(event)
  }
}
