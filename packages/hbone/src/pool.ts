import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  abortable,
  type Clock,
  type Closable,
  codeOf,
  formatSocketAddress,
  formatSpiffeId,
  type Logger,
  messageOf,
  type SocketAddress,
  type SpiffeId,
} from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { acceptsTunnel } from './accepts-tunnel.ts'
import { IDLE_RELEASE_MS, type KeyExchangeGroup } from './defaults.ts'
import type { ClientSession, ClientStream, Engine, HeaderMap, TunnelStream } from './engine.types.ts'
import { HboneConnectError, HboneLimitError, HboneResetError, HboneStatusError } from './errors.ts'
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_BULK_CONNECTIONS,
  MAX_POOLED_CONNECTIONS,
  MAX_STREAMS_PER_CONNECTION,
} from './limits.ts'
import type { LivenessOptions } from './liveness.ts'
import { nodeHttp2Engine } from './node-http2-engine.ts'
import type { Connected, ConnectionPoolComponents, OpenRequest, PoolStream } from './pool.types.ts'
import { PooledConnection } from './pooled-connection.ts'
import { cut } from './reset.ts'
import { secureClient } from './secure-client.ts'
import { SecureContextCache } from './secure-context.ts'
import type { TlsFacts } from './tls.types.ts'

/** An accepted CONNECT. Disposing resets the stream unless both directions have ended. */
export interface Tunnel<Stream = TunnelStream> extends AsyncDisposable {
  /** The payload: `end()` is END_STREAM, `destroy(error)` a reset. */
  readonly stream: Stream
  readonly peer: SpiffeId
  readonly peerCertificate: X509Certificate | undefined
  readonly tls: TlsFacts
  readonly responseHeaders: HeaderMap
}

export interface HbonePoolComponents {
  readonly dial: (to: SocketAddress, signal: AbortSignal) => Promise<Socket>
  readonly certificate: (identity: SpiffeId, signal?: AbortSignal) => Promise<WorkloadCertificate>
  readonly clock: Clock
  readonly logger: Logger
  readonly engine?: Engine | undefined
}

export interface HbonePoolOptions extends LivenessOptions {
  readonly maxStreamsPerConnection?: number | undefined
  readonly maxConnections?: number | undefined
  readonly idleReleaseMs?: number | undefined
  readonly handshakeTimeoutMs?: number | undefined
  /** In order of preference; by default {@link KEY_EXCHANGE_GROUPS}. */
  readonly keyExchangeGroups?: readonly KeyExchangeGroup[] | undefined
}

/** RFC 9113 §7: nothing of the stream was processed, so it may be sent again. */
const REFUSED_STREAM = 7

type Ask<Stream, Session> = (session: Session) => ClientStream<Stream>

/** One attempt to connect, shared by everybody who needs the same connection. */
interface Attempt<Stream extends PoolStream, Session extends ClientSession<Stream>> {
  readonly connection: Promise<PooledConnection<Stream, Session>>
  readonly abort: AbortController
  waiters: number
}

/** Outbound HBONE connections of one workload, shared by all streams with equal identities, destination and source address. */
export class ConnectionPool<Stream extends PoolStream, Session extends ClientSession<Stream> = ClientSession<Stream>>
  implements Closable
{
  readonly #components: ConnectionPoolComponents<Stream, Session>
  readonly #options: HbonePoolOptions
  readonly #logger: Logger
  readonly #available = new Map<string, Set<PooledConnection<Stream, Session>>>()
  readonly #attempts = new Map<string, Attempt<Stream, Session>>()
  /** Every living connection, in the pool or only finishing its streams. */
  readonly #connections = new Set<PooledConnection<Stream, Session>>()
  #closed = false

  constructor(components: ConnectionPoolComponents<Stream, Session>, options: HbonePoolOptions = {}) {
    this.#components = components
    this.#options = options
    this.#logger = components.logger.scope('hbone-pool')
  }

  /** Living connections, for gauges and tests. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** Connections that still take new streams. */
  get availableCount(): number {
    let count = 0
    for (const connections of this.#available.values()) {
      for (const connection of connections) if (connection.readiness() !== 'unusable') count++
    }
    return count
  }

  /** Opens a stream on a pooled or new connection; resolves when the peer answered 200. */
  open(request: OpenRequest): Promise<Tunnel<Stream>> {
    return this.openBy(request, (session) => session.request(request.authority, request.headers ?? {}))
  }

  /** The same, of a stream that is asked for in another way. */
  protected async openBy(request: OpenRequest, ask: Ask<Stream, Session>): Promise<Tunnel<Stream>> {
    try {
      return await this.#open(request, ask)
    } catch (error) {
      // The one case that is provably unprocessed: the connection was closing while the stream was sent.
      if (!(error instanceof HboneResetError) || error.resetCode !== REFUSED_STREAM) throw error
      return await this.#open(request, ask)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const attempt of this.#attempts.values()) attempt.abort.abort(closedError())
    const connections = [...this.#connections]
    for (const connection of connections) connection.destroy()
    await Promise.all(connections.map((connection) => connection.closed))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #open(request: OpenRequest, ask: Ask<Stream, Session>): Promise<Tunnel<Stream>> {
    const { connection, opened } = await this.#openStream(request, ask)
    const { stream, response } = opened
    try {
      const { status, headers } = await abortable(response, request.signal)
      if (!acceptsTunnel(status)) {
        throw new HboneStatusError(
          status,
          `http status: ${status} from ${formatSocketAddress(request.to)} for ${request.authority}`,
        )
      }
      const { peer, facts, peerCertificate } = connection
      return {
        stream,
        peer,
        peerCertificate,
        tls: facts,
        responseHeaders: headers,
        [Symbol.asyncDispose]: () => {
          this.#components.cut(stream)
          return Promise.resolve()
        },
      }
    } catch (error) {
      this.#components.cut(stream)
      if (error instanceof HboneResetError && error.resetCode === REFUSED_STREAM) connection.retire()
      throw error
    }
  }

  /** A stream on the first connection that has one free. It is taken in the turn it is found: others wait for it too. */
  async #openStream(
    request: OpenRequest,
    ask: Ask<Stream, Session>,
  ): Promise<{
    connection: PooledConnection<Stream, Session>
    opened: ClientStream<Stream>
  }> {
    const key = poolKey(request)
    for (;;) {
      if (this.#closed) throw closedError()
      request.signal?.throwIfAborted()
      const candidates = this.#available.get(key) ?? []
      let unsettled: PooledConnection<Stream, Session> | undefined
      const busy: PooledConnection<Stream, Session>[] = []
      for (const candidate of candidates) {
        const readiness = candidate.readiness()
        if (readiness === 'free') {
          return { connection: candidate, opened: candidate.request(ask) }
        }
        if (readiness === 'unsettled') unsettled = candidate
        else if (readiness === 'busy') busy.push(candidate)
      }
      const [shared] = busy
      if (shared !== undefined && (busy.length >= MAX_BULK_CONNECTIONS || this.#isFull())) {
        const connection = leastUsed(busy, shared)
        return { connection, opened: connection.request(ask) }
      }
      if (unsettled !== undefined) await abortable(unsettled.settled, request.signal)
      else await this.#joinAttempt(key, request)
    }
  }

  async #joinAttempt(key: string, request: OpenRequest): Promise<void> {
    let attempt = this.#attempts.get(key)
    if (attempt === undefined) {
      const abort = new AbortController()
      attempt = { connection: this.#connect(key, request, abort.signal), abort, waiters: 0 }
      this.#attempts.set(key, attempt)
      const forget = (): void => this.#forgetAttempt(key, abort)
      attempt.connection.then(forget, forget)
    }
    attempt.waiters++
    try {
      await abortable(attempt.connection, request.signal)
    } finally {
      attempt.waiters--
      // Nobody is left to use it, and nobody may join what is being given up.
      if (attempt.waiters === 0 && request.signal?.aborted === true) {
        this.#forgetAttempt(key, attempt.abort)
        attempt.abort.abort(request.signal.reason)
      }
    }
  }

  #forgetAttempt(key: string, abort: AbortController): void {
    if (this.#attempts.get(key)?.abort === abort) this.#attempts.delete(key)
  }

  async #connect(key: string, request: OpenRequest, signal: AbortSignal): Promise<PooledConnection<Stream, Session>> {
    const { clock, watches } = this.#components
    this.#makeRoom()
    const connected = await this.#components.connect(request, signal)
    const connection = new PooledConnection<Stream, Session>(
      { connected, clock },
      {
        ...this.#options,
        watches,
        maxStreams: this.#options.maxStreamsPerConnection ?? MAX_STREAMS_PER_CONNECTION,
        idleReleaseMs: this.#options.idleReleaseMs ?? IDLE_RELEASE_MS,
        onRetired: () => this.#forget(key, connection),
      },
    )
    this.#connections.add(connection)
    void connection.closed.then((failure) => {
      this.#connections.delete(connection)
      if (failure !== undefined) {
        this.#logger.debug('connection failed', { peer: formatSocketAddress(request.to), error: messageOf(failure) })
      }
    })
    if (this.#closed) {
      connection.destroy()
      throw closedError()
    }
    const peers = this.#available.get(key) ?? new Set()
    this.#available.set(key, peers.add(connection))
    return connection
  }

  /** At the limit, the connection unused for longest makes room; when all carry streams, the request is refused. */
  #makeRoom(): void {
    if (!this.#isFull()) return
    const max = this.#options.maxConnections ?? MAX_POOLED_CONNECTIONS
    let idle: PooledConnection<Stream, Session> | undefined
    for (const connection of this.#connections) {
      if (connection.streamCount === 0 && (idle === undefined || connection.lastUsedMs < idle.lastUsedMs))
        idle = connection
    }
    if (idle === undefined)
      throw new HboneLimitError(`refused: this workload has ${max} HBONE connections with streams open already`)
    this.#connections.delete(idle)
    idle.retire()
  }

  #isFull(): boolean {
    const max = this.#options.maxConnections ?? MAX_POOLED_CONNECTIONS
    return this.#connections.size + this.#attempts.size >= max
  }

  #forget(key: string, connection: PooledConnection<Stream, Session>): void {
    const peers = this.#available.get(key)
    if (peers?.delete(connection) === true && peers.size === 0) this.#available.delete(key)
  }
}

/** The pool over sockets and streams of Node, and one of the engines. */
export class HbonePool extends ConnectionPool<TunnelStream> {
  constructor(components: HbonePoolComponents, options: HbonePoolOptions = {}) {
    const { clock, logger, engine = nodeHttp2Engine } = components
    const contexts = new SecureContextCache(options.keyExchangeGroups)
    const connect = async (request: OpenRequest, signal: AbortSignal): Promise<Connected<TunnelStream>> => {
      const context = contexts.get(await components.certificate(request.source, signal))
      const socket = await dialFrom(components, request.to, signal)
      const { tls, peer, facts } = await secureClient({
        carrier: socket,
        context,
        expected: request.expected,
        peerName: formatSocketAddress(request.to),
        clock,
        timeoutMs: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
        signal,
      })
      return { session: engine.connect(tls), peer, facts, peerCertificate: tls.getPeerX509Certificate() }
    }
    super({ connect, cut, clock, logger, watches: true }, options)
  }
}

function leastUsed<Connection extends { readonly streamCount: number }>(
  connections: readonly Connection[],
  first: Connection,
): Connection {
  return connections.reduce((least, other) => (other.streamCount < least.streamCount ? other : least), first)
}

async function dialFrom({ dial }: HbonePoolComponents, to: SocketAddress, signal: AbortSignal): Promise<Socket> {
  const address = formatSocketAddress(to)
  let socket: Socket
  try {
    socket = await dial(to, signal)
  } catch (cause) {
    signal.throwIfAborted()
    const hint = `connection timed out, maybe a NetworkPolicy is blocking HBONE port ${to.port}: ${address}`
    const message = codeOf(cause) === 'ETIMEDOUT' ? hint : `connection to ${address} failed: ${messageOf(cause)}`
    throw new HboneConnectError(message, { cause })
  }
  socket.setNoDelay(true)
  return socket
}

/** T6: neither another source identity nor another source address may ride on a connection. */
function poolKey({ source, sourceIp, to, expected }: OpenRequest): string {
  const peers = expected.map(formatSpiffeId).sort()
  return JSON.stringify([formatSpiffeId(source), sourceIp, formatSocketAddress(to), peers])
}

function closedError(): HboneConnectError {
  return new HboneConnectError('the workload is going away: its connection pool is closed')
}
