import type { Socket } from 'node:net'
import {
  type Clock,
  type Closable,
  formatSocketAddress,
  type Ip,
  type Logger,
  messageOf,
  parseIp,
  type SocketAddress,
} from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import type { KeyExchangeGroup } from './defaults.ts'
import type { Engine, HeaderMap, ServeOptions, ServerSession, ServerStream, TunnelStream } from './engine.types.ts'
import { HboneLimitError, HboneTlsError } from './errors.ts'
import {
  DRAIN_PING_MS,
  HANDSHAKE_SHARES,
  HANDSHAKE_TIMEOUT_MS,
  MAX_PENDING_HANDSHAKES,
  MAX_SERVER_CONNECTIONS,
} from './limits.ts'
import { type LivenessOptions, watchLiveness } from './liveness.ts'
import { nodeHttp2Engine } from './node-http2-engine.ts'
import { cut } from './reset.ts'
import { type SecuredServer, SecureServer } from './secure-server.ts'
import type { PeerIdentity, TlsFacts } from './tls.types.ts'

/** One CONNECT, to be answered once: accept it or reject it. */
export interface HboneRequest {
  readonly method: string
  readonly authority: string | undefined
  /** Neither `:scheme` nor `:path` nor `:protocol` (T3). */
  readonly isPlainConnect: boolean
  readonly headers: HeaderMap
  readonly peer: PeerIdentity
  readonly remote: SocketAddress
  readonly local: SocketAddress
  readonly tls: TlsFacts
  /** Aborts when the stream is gone. */
  readonly signal: AbortSignal
  /** Calls once or twice when the stream is gone, at once if it is; answers how to stop that. Cheaper than a signal. */
  onGone(listener: () => void): () => void
  /** Answers 200 and hands over the payload. */
  accept(headers?: Readonly<Record<string, string>>): TunnelStream
  reject(status: number): void
}

export interface HboneServerComponents {
  /** Asked for each connection, so that a new certificate serves the next one. */
  readonly certificate: () => Promise<WorkloadCertificate> | WorkloadCertificate
  /** Should it fail, the request is answered 503, or its tunnel is reset if it was accepted already. */
  readonly onRequest: (request: HboneRequest) => void | Promise<void>
  readonly onTlsError: (error: Error, remote: SocketAddress | undefined) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly engine?: Engine | undefined
}

export interface HboneServerOptions extends LivenessOptions, ServeOptions {
  readonly handshakeTimeoutMs?: number | undefined
  readonly maxPendingHandshakes?: number | undefined
  readonly maxConnections?: number | undefined
  /** In order of preference; by default {@link KEY_EXCHANGE_GROUPS}. */
  readonly keyExchangeGroups?: readonly KeyExchangeGroup[] | undefined
}

/** HBONE for one workload: takes accepted sockets, gives authenticated CONNECT requests. It does not listen itself. */
export class HboneServer implements Closable {
  readonly #components: HboneServerComponents
  readonly #options: HboneServerOptions
  readonly #engine: Engine
  readonly #logger: Logger
  readonly #secure: SecureServer
  readonly #handshakes = new Set<Socket>()
  /** The same, counted by source address; an entry leaves with its last handshake. */
  readonly #handshakesOf = new Map<Ip, number>()
  readonly #sessions = new Set<ServerSession>()
  #state: 'open' | 'draining' | 'closed' = 'open'

  constructor(components: HboneServerComponents, options: HboneServerOptions = {}) {
    this.#components = components
    this.#options = options
    this.#engine = components.engine ?? nodeHttp2Engine
    this.#logger = components.logger.scope('hbone')
    this.#secure = new SecureServer(components, options.keyExchangeGroups)
  }

  /** Connections with a verified peer. */
  get connectionCount(): number {
    return this.#sessions.size
  }

  /** Takes over a socket, which must not be half-open capable: that would hide the peer's death. */
  accept(socket: Socket): void {
    socket.on('error', () => undefined)
    const remote = addressOf(socket.remoteAddress, socket.remotePort)
    const local = addressOf(socket.localAddress, socket.localPort)
    // T26: the peer may be gone right after accept.
    if (this.#state !== 'open' || remote === undefined || local === undefined) {
      socket.destroy()
      return
    }
    const refusal = this.#refusal(remote.ip)
    if (refusal !== undefined) {
      socket.destroy()
      this.#tellTlsError(refusal, remote)
      return
    }
    socket.setNoDelay(true)
    this.#handshakes.add(socket)
    this.#handshakesOf.set(remote.ip, (this.#handshakesOf.get(remote.ip) ?? 0) + 1)
    void this.#serve(socket, remote, local)
  }

  /**
   * Lets open streams finish, takes no new connections, and resolves when all are gone or after `deadlineMs`, by then forcibly.
   * Peers are told in two steps (T23): first "no more", then, a round trip later, what was the last stream served.
   */
  async drain(deadlineMs: number): Promise<void> {
    if (this.#state === 'open') this.#state = 'draining'
    const sessions = [...this.#sessions]
    const deadline = Promise.withResolvers<void>()
    using _timer = this.#components.clock.after(deadlineMs, deadline.resolve)
    const gone = Promise.all(sessions.map((session) => drainSession(session, this.#components.clock)))
    await Promise.race([gone, deadline.promise])
    await this.close()
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    for (const socket of this.#handshakes) socket.destroy()
    const sessions = [...this.#sessions]
    for (const session of sessions) session.destroy()
    await Promise.all(sessions.map((session) => session.closed))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #refusal(source: Ip): HboneLimitError | undefined {
    const { maxPendingHandshakes = MAX_PENDING_HANDSHAKES, maxConnections = MAX_SERVER_CONNECTIONS } = this.#options
    // Nobody is authenticated yet: one host must not be able to take all places.
    const share = Math.ceil(maxPendingHandshakes / HANDSHAKE_SHARES)
    if ((this.#handshakesOf.get(source) ?? 0) >= share) {
      return new HboneLimitError(`refused: ${share} handshakes of ${source} are under way already`)
    }
    if (this.#handshakes.size >= maxPendingHandshakes) {
      return new HboneLimitError(`refused: ${maxPendingHandshakes} handshakes are under way already`)
    }
    if (this.#sessions.size >= maxConnections)
      return new HboneLimitError(`refused: ${maxConnections} connections are open already`)
    return undefined
  }

  #leave(source: Ip): void {
    const left = (this.#handshakesOf.get(source) ?? 1) - 1
    if (left === 0) this.#handshakesOf.delete(source)
    else this.#handshakesOf.set(source, left)
  }

  async #serve(socket: Socket, remote: SocketAddress, local: SocketAddress): Promise<void> {
    let secured: SecuredServer
    try {
      secured = await this.#secure.secure(socket, this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS)
    } catch (error) {
      if (this.#state !== 'closed') this.#tellTlsError(asError(error), remote)
      return
    } finally {
      this.#handshakes.delete(socket)
      this.#leave(remote.ip)
    }
    if (this.#state !== 'open') {
      secured.tls.destroy()
      return
    }
    const { tls, peer, facts } = secured
    let session: ServerSession
    try {
      const onStream = (stream: ServerStream): void => void this.#handle(stream, { peer, remote, local, tls: facts })
      session = this.#engine.serve(tls, onStream, this.#options)
    } catch (error) {
      // The peer left between its handshake and our first frame.
      tls.destroy()
      this.#logger.debug('connection lost', { peer: formatSocketAddress(remote), error: messageOf(error) })
      return
    }
    this.#sessions.add(session)
    watchLiveness(
      session,
      this.#components.clock,
      () => {
        this.#logger.debug('connection dropped: no answer to PING', { peer: formatSocketAddress(remote) })
        session.destroy()
      },
      this.#options,
    )
    const failure = await session.closed
    this.#sessions.delete(session)
    if (failure !== undefined) {
      this.#logger.debug('connection failed', { peer: formatSocketAddress(remote), error: messageOf(failure) })
    }
  }

  /** Whoever is told must not be able to end the process by it. */
  #tellTlsError(error: Error, remote: SocketAddress): void {
    try {
      this.#components.onTlsError(error, remote)
    } catch (failure) {
      this.#logger.error('a failed handshake could not be reported', {
        peer: formatSocketAddress(remote),
        error: messageOf(failure),
      })
    }
  }

  /** A handler that fails must not take every other tunnel of the process with it. */
  async #handle(stream: ServerStream, facts: ConnectionFacts): Promise<void> {
    const request = new Request(stream, facts)
    try {
      await this.#components.onRequest(request)
    } catch (error) {
      this.#logger.error('a CONNECT could not be handled', {
        peer: formatSocketAddress(facts.remote),
        authority: stream.authority,
        error: messageOf(error),
      })
      request.abandon()
    }
  }
}

interface ConnectionFacts {
  readonly peer: PeerIdentity
  readonly remote: SocketAddress
  readonly local: SocketAddress
  readonly tls: TlsFacts
}

class Request implements HboneRequest {
  readonly #stream: ServerStream
  readonly #facts: ConnectionFacts
  #tunnel: TunnelStream | undefined

  constructor(stream: ServerStream, facts: ConnectionFacts) {
    this.#stream = stream
    this.#facts = facts
  }

  get method(): string {
    return this.#stream.method
  }

  get authority(): string | undefined {
    return this.#stream.authority
  }

  get isPlainConnect(): boolean {
    return this.#stream.isPlainConnect
  }

  get headers(): HeaderMap {
    return this.#stream.headers
  }

  get signal(): AbortSignal {
    return this.#stream.signal
  }

  onGone(listener: () => void): () => void {
    return this.#stream.onGone(listener)
  }

  get peer(): PeerIdentity {
    return this.#facts.peer
  }

  get remote(): SocketAddress {
    return this.#facts.remote
  }

  get local(): SocketAddress {
    return this.#facts.local
  }

  get tls(): TlsFacts {
    return this.#facts.tls
  }

  accept(headers: Readonly<Record<string, string>> = {}): TunnelStream {
    this.#tunnel = this.#stream.accept(headers)
    return this.#tunnel
  }

  reject(status: number): void {
    this.#stream.reject(status)
  }

  /** Its handler has failed: nobody would ever end what was accepted. */
  abandon(): void {
    if (this.#tunnel === undefined) this.reject(503)
    else cut(this.#tunnel)
  }
}

async function drainSession(session: ServerSession, clock: Clock): Promise<void> {
  session.announceDrain()
  const answered = Promise.withResolvers<void>()
  // Node's client closes on the announcement when it is idle, and answers no ping any more.
  using _timer = clock.after(DRAIN_PING_MS, answered.resolve)
  void session.ping().then(answered.resolve, answered.resolve)
  await Promise.race([answered.promise, session.closed])
  session.finishDrain()
  await session.closed
}

function addressOf(ip: string | undefined, port: number | undefined): SocketAddress | undefined {
  const parsed = parseIp(ip?.split('%', 1)[0] ?? '')
  return parsed === undefined || port === undefined ? undefined : { ip: parsed, port }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new HboneTlsError(messageOf(error))
}
