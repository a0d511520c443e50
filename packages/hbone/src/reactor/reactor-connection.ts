import type { SocketAddress } from '@ambit/core'
import type { TlsPeer } from '@ambit/linux'
import { HboneConnectError, HboneTlsError } from '../errors.ts'
import type { HandleId } from './messages.types.ts'
import { type EventWithId, ReactorHandle, type ReactorPort } from './reactor-handle.ts'

/** A TCP connection in a worker: accepted, dialled, or taken over. Nothing is read before it is copied or secured. */
export class ReactorConnection extends ReactorHandle {
  readonly remote: SocketAddress | undefined
  local: SocketAddress | undefined
  /** Where it was going before it was redirected. */
  readonly original: SocketAddress | undefined
  readonly #connected = Promise.withResolvers<void>()
  readonly #secured = Promise.withResolvers<TlsPeer>()
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
    this.#connected.promise.catch(() => undefined)
    this.#secured.promise.catch(() => undefined)
  }

  get connected(): Promise<void> {
    return this.#connected.promise
  }

  /** The handshake. OpenSSL verifies the chain; whether the peer is the right one, the caller says by `become` or `cut`. */
  secure(context: HandleId, options: { readonly isServer: boolean; readonly timeoutMs: number }): Promise<TlsPeer> {
    this.port.post({ kind: 'secure', id: this.id, context, ...options })
    return this.#secured.promise
  }

  become(session: (event: EventWithId) => void): void {
    this.#next = session
  }

  protected hear(event: EventWithId): void {
    if (event.kind === 'connected') {
      this.local = event.local
      this.#connected.resolve()
    } else if (event.kind === 'secured') this.#secured.resolve(event.peer)
    else if (this.#next !== undefined) this.#next(event)
    if (event.kind !== 'gone') return
    const failure = event.failure ?? 'the connection was closed'
    this.#connected.reject(new HboneConnectError(failure, { cause: systemError(event) }))
    this.#secured.reject(new HboneTlsError(failure))
    this.over()
  }

  override over(): void {
    super.over()
    this.#connected.reject(new HboneConnectError('the connection was closed'))
    this.#secured.reject(new HboneTlsError('the connection was closed during the handshake'))
  }
}

/** As Node's own sockets have it, for those who look at `code`. */
function systemError({ failure, code }: Extract<EventWithId, { kind: 'gone' }>): Error | undefined {
  return typeof code === 'string' ? Object.assign(new Error(failure), { code, syscall: 'connect' }) : undefined
}
