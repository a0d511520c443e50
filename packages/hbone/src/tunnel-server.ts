import { type Clock, type Closable, formatSocketAddress, type Logger, messageOf, type SocketAddress } from '@ambit/core'
import { drainSession } from './drain-session.ts'
import type { ServerSession } from './engine.types.ts'
import { HboneLimitError, HboneTlsError } from './errors.ts'
import { HandshakePlaces } from './handshake-places.ts'
import { HANDSHAKE_TIMEOUT_MS, MAX_PENDING_HANDSHAKES, MAX_SERVER_CONNECTIONS } from './limits.ts'
import { type LivenessOptions, watchLiveness } from './liveness.ts'
import type { PeerIdentity, TlsFacts } from './tls.types.ts'

/** Where a connection comes from and goes to. */
export interface Ends {
  readonly remote: SocketAddress
  readonly local: SocketAddress
}

/** What every request of a connection has in common. */
export interface ConnectionFacts extends Ends {
  readonly peer: PeerIdentity
  readonly tls: TlsFacts
}

/** What the log says of a request. */
interface Addressed {
  readonly authority: string | undefined
}

/** A connection whose peer is verified. */
export interface SecuredCarrier<Stream> {
  readonly peer: PeerIdentity
  readonly facts: TlsFacts
  /** Throws when the peer has left meanwhile. */
  serve(onStream: (stream: Stream) => void): ServerSession
  destroy(): void
}

/** What a server does with its connections, whatever they are made of. */
export interface TunnelServerComponents<Carrier, Stream extends Addressed, Request> {
  readonly secure: (carrier: Carrier, timeoutMs: number) => Promise<SecuredCarrier<Stream>>
  readonly destroy: (carrier: Carrier) => void
  readonly request: (stream: Stream, facts: ConnectionFacts) => Request
  /** The handler of a request has failed. */
  readonly abandon: (request: Request) => void
  readonly onRequest: (request: Request) => void | Promise<void>
  readonly onTlsError: (error: Error, remote: SocketAddress | undefined) => void
  readonly clock: Clock
  readonly logger: Logger
  /** Whether the server asks its peers by PING if they live; false where whoever serves does. */
  readonly watches: boolean
}

export interface TunnelServerOptions extends LivenessOptions {
  readonly handshakeTimeoutMs?: number | undefined
  readonly maxPendingHandshakes?: number | undefined
  readonly maxConnections?: number | undefined
}

/** HBONE for one workload: takes accepted connections, gives authenticated CONNECT requests. It does not listen itself. */
export abstract class TunnelServer<Carrier, Stream extends Addressed, Request> implements Closable {
  readonly #components: TunnelServerComponents<Carrier, Stream, Request>
  readonly #options: TunnelServerOptions
  readonly #logger: Logger
  readonly #handshakes = new Set<Carrier>()
  readonly #places: HandshakePlaces
  readonly #sessions = new Set<ServerSession>()
  #state: 'open' | 'draining' | 'closed' = 'open'

  constructor(components: TunnelServerComponents<Carrier, Stream, Request>, options: TunnelServerOptions) {
    this.#components = components
    this.#options = options
    this.#places = new HandshakePlaces(options.maxPendingHandshakes ?? MAX_PENDING_HANDSHAKES)
    this.#logger = components.logger.scope('hbone')
  }

  /** Connections with a verified peer. */
  get connectionCount(): number {
    return this.#sessions.size
  }

  /** Takes a connection over; without addresses its peer is gone already. */
  protected take(carrier: Carrier, ends: Ends | undefined): void {
    if (this.#state !== 'open' || ends === undefined) {
      this.#components.destroy(carrier)
      return
    }
    const refusal = this.#refusal(ends)
    if (refusal !== undefined) {
      this.#components.destroy(carrier)
      this.#tellTlsError(refusal, ends.remote)
      return
    }
    this.#handshakes.add(carrier)
    this.#places.take(ends.remote.ip)
    void this.#serve(carrier, ends)
  }

  /** Lets open streams finish, takes no new connections, and resolves when all are gone or after `deadlineMs`, by then forcibly. */
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
    for (const carrier of this.#handshakes) this.#components.destroy(carrier)
    const sessions = [...this.#sessions]
    for (const session of sessions) session.destroy()
    await Promise.all(sessions.map((session) => session.closed))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #refusal({ remote }: Ends): HboneLimitError | undefined {
    const { maxConnections = MAX_SERVER_CONNECTIONS } = this.#options
    const refusal = this.#places.refusal(remote.ip)
    if (refusal !== undefined || this.#sessions.size < maxConnections) return refusal
    return new HboneLimitError(`refused: ${maxConnections} connections are open already`)
  }

  async #serve(carrier: Carrier, ends: Ends): Promise<void> {
    const { remote } = ends
    let secured: SecuredCarrier<Stream>
    try {
      secured = await this.#components.secure(carrier, this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS)
    } catch (error) {
      if (this.#state !== 'closed') this.#tellTlsError(asError(error), remote)
      return
    } finally {
      this.#handshakes.delete(carrier)
      this.#places.leave(remote.ip)
    }
    if (this.#state !== 'open') {
      secured.destroy()
      return
    }
    let session: ServerSession
    try {
      const facts: ConnectionFacts = { ...ends, peer: secured.peer, tls: secured.facts }
      session = secured.serve((stream) => void this.#handle(stream, facts))
    } catch (error) {
      // The peer left between its handshake and our first frame.
      secured.destroy()
      this.#logger.debug('connection lost', { peer: formatSocketAddress(remote), error: messageOf(error) })
      return
    }
    await this.#watch(session, remote)
  }

  async #watch(session: ServerSession, remote: SocketAddress): Promise<void> {
    this.#sessions.add(session)
    if (this.#components.watches) {
      watchLiveness(
        session,
        this.#components.clock,
        () => {
          this.#logger.debug('connection dropped: no answer to PING', { peer: formatSocketAddress(remote) })
          session.destroy()
        },
        this.#options,
      )
    }
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
  async #handle(stream: Stream, facts: ConnectionFacts): Promise<void> {
    const request = this.#components.request(stream, facts)
    try {
      await this.#components.onRequest(request)
    } catch (error) {
      this.#logger.error('a CONNECT could not be handled', {
        peer: formatSocketAddress(facts.remote),
        authority: stream.authority,
        error: messageOf(error),
      })
      this.#components.abandon(request)
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new HboneTlsError(messageOf(error))
}
