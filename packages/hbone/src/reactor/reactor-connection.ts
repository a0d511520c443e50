import type { SocketAddress } from '@ambit/core'
import type { TlsPeer } from '@ambit/linux'
import { HboneConnectError, HboneTlsError } from '../errors.ts'
import type { HandleId } from './messages.types.ts'
import { type EventWithId, ReactorHandle, type ReactorPort } from './reactor-handle.ts'
import { systemError } from './system-failure.ts'

/** A TCP connection in a worker: accepted, dialled, or taken over. Nothing is read before it is copied or secured. */
export class ReactorConnection extends ReactorHandle {
  readonly remote: SocketAddress | undefined
  local: SocketAddress | undefined
  /** Where it was going before it was redirected. */
  readonly original: SocketAddress | undefined
  /** Only those that somebody waits for: most connections are copied and never asked. */
  #connected: PromiseWithResolvers<void> | undefined
  #secured: PromiseWithResolvers<TlsPeer> | undefined
  #failure: HboneConnectError | undefined
  /** What became a session tells the session. */
  #next: ((event: EventWithId) => void) | undefined

  constructor(
    port: ReactorPort,
    id: HandleId,
    facts: {
      readonly remote?: SocketAddress
      readonly local?: SocketAddress
      readonly original?: SocketAddress | undefined
    },
  ) {
    super(port, id)
    this.remote = facts.remote
    this.local = facts.local
    this.original = facts.original
  }

  /** To be asked for when it begins to connect. */
  get connected(): Promise<void> {
    if (this.#connected === undefined) {
      this.#connected = Promise.withResolvers()
      this.#connected.promise.catch(() => undefined)
      if (this.isClosed) this.#connected.reject(this.#closed())
    }
    return this.#connected.promise
  }

  /** The handshake. OpenSSL verifies the chain; whether the peer is the right one, the caller says by `become` or `cut`. */
  secure(context: HandleId, options: { readonly isServer: boolean; readonly timeoutMs: number }): Promise<TlsPeer> {
    const secured = Promise.withResolvers<TlsPeer>()
    this.#secured = secured
    if (this.isClosed) secured.reject(this.#closed())
    else this.port.post({ kind: 'secure', id: this.id, context, ...options })
    return secured.promise
  }

  /** RST, as soon as the peer has said something, at the latest after so long. */
  refuse(holdMs: number): void {
    if (!this.isClosed) this.port.post({ kind: 'refuse', id: this.id, holdMs })
  }

  become(session: (event: EventWithId) => void): void {
    this.#next = session
  }

  hear(event: EventWithId): void {
    if (event.kind === 'connected') {
      this.local = event.local
      this.#connected?.resolve()
    } else if (event.kind === 'secured') this.#secured?.resolve(event.peer)
    else this.#next?.(event)
    if (event.kind !== 'gone') return
    const failure = event.failure ?? 'the connection was closed'
    this.#failure = new HboneConnectError(failure, { cause: systemError(failure, event.code) })
    this.#secured?.reject(new HboneTlsError(failure))
    this.over()
  }

  override over(): void {
    super.over()
    this.#connected?.reject(this.#closed())
    this.#secured?.reject(new HboneTlsError('the connection was closed during the handshake'))
  }

  #closed(): HboneConnectError {
    return this.#failure ?? new HboneConnectError('the connection was closed')
  }
}
