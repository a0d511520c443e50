import type { X509Certificate } from 'node:crypto'
import type { Clock, SpiffeId } from '@ambit/core'
import type { ClientSession, ClientStream } from './engine.types.ts'
import { CLOSE_GRACE_MS } from './limits.ts'
import { type LivenessOptions, watchLiveness } from './liveness.ts'
import type { Connected, PoolStream } from './pool.types.ts'
import type { TlsFacts } from './tls.types.ts'

export interface PooledConnectionOptions extends LivenessOptions {
  /** Whether the peer is asked by PING if it lives. */
  readonly watches: boolean
  readonly maxStreams: number
  readonly idleReleaseMs: number
  readonly onRetired: () => void
}

/** One connection and its way through the pool: shared until its stream limit, a GOAWAY, idleness or death retires it. */
export class PooledConnection<Stream extends PoolStream, Session extends ClientSession<Stream>> {
  readonly peer: SpiffeId
  readonly peerCertificate: X509Certificate | undefined
  readonly facts: TlsFacts
  readonly closed: Promise<Error | undefined>
  readonly settled: Promise<void>
  readonly #session: Session
  readonly #clock: Clock
  readonly #options: PooledConnectionOptions
  #retired = false
  #opened = 0
  #idleTimer: Disposable | undefined
  /** Monotonic. */
  lastUsedMs: number

  constructor(
    components: { readonly connected: Connected<Stream, Session>; readonly clock: Clock },
    options: PooledConnectionOptions,
  ) {
    const { connected, clock } = components
    const { session } = connected
    this.#session = session
    this.#clock = clock
    this.#options = options
    this.peer = connected.peer
    this.peerCertificate = connected.peerCertificate
    this.facts = connected.facts
    this.closed = session.closed
    this.settled = session.settled
    this.lastUsedMs = clock.monotonic()
    if (options.watches) watchLiveness(session, clock, () => session.destroy(), options)
    void this.closed.then(() => this.retire())
    this.#watchIdle()
  }

  get streamCount(): number {
    return this.#session.streamCount
  }

  /**
   * Whether a stream may be opened now. Until the peer's SETTINGS tell its limit, only one is: a burst waits a round trip
   * instead of queueing behind a low limit (T9). One that moves bulk is for whoever finds no other.
   */
  readiness(): 'free' | 'busy' | 'unsettled' | 'unusable' {
    if (this.#retired) return 'unusable'
    if (!this.#session.usable || this.#limit() < 1) {
      this.retire()
      return 'unusable'
    }
    if (this.#session.peerMaxStreams === undefined && this.#opened > 0) return 'unsettled'
    return this.#session.carriesBulk === true ? 'busy' : 'free'
  }

  /** `ask` opens one stream. */
  request(ask: (session: Session) => ClientStream<Stream>): ClientStream<Stream> {
    this.#opened++
    this.lastUsedMs = this.#clock.monotonic()
    this.#idleTimer?.[Symbol.dispose]()
    const opened = ask(this.#session)
    opened.stream.once('close', () => this.#streamClosed())
    // T7: once full it never comes back to the pool, even when streams finish.
    if (this.#session.streamCount >= this.#limit()) this.retire()
    return opened
  }

  /** No new streams; the connection ends with its last one. */
  retire(): void {
    if (this.#retired) return
    this.#retired = true
    this.#idleTimer?.[Symbol.dispose]()
    this.#options.onRetired()
    this.#closeIfDone()
  }

  destroy(): void {
    this.retire()
    this.#session.destroy()
  }

  #limit(): number {
    return Math.min(this.#options.maxStreams, this.#session.peerMaxStreams ?? Number.POSITIVE_INFINITY)
  }

  #streamClosed(): void {
    this.lastUsedMs = this.#clock.monotonic()
    if (this.#retired) this.#closeIfDone()
    else if (this.streamCount === 0) this.#watchIdle()
  }

  #watchIdle(): void {
    this.#idleTimer?.[Symbol.dispose]()
    this.#idleTimer = this.#clock.after(this.#options.idleReleaseMs, () => this.retire())
  }

  #closeIfDone(): void {
    if (this.streamCount > 0) return
    this.#session.close()
    // The orderly end takes the peer's consent; one that is gone without a word would hold the socket for many minutes.
    const grace = this.#clock.after(CLOSE_GRACE_MS, () => this.#session.destroy())
    void this.closed.then(() => grace[Symbol.dispose]())
  }
}
