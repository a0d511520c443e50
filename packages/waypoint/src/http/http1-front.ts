import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { HEADERS_CHECK_MS, IDLE_TIMEOUT_MS, REQUEST_HEADERS_TIMEOUT_MS } from '../limits.ts'
import type { FrontHandler } from './front.types.ts'
import { Http1Connection } from './http1-connection.ts'

/** HTTP/1.1 from clients: their connections, and their time. */
export class Http1Front {
  readonly #clock: Clock
  readonly #headersTimeoutMs: number
  readonly #open = new Map<Duplex, Http1Connection>()
  #check: Disposable | undefined
  #isDraining = false

  constructor({ clock }: { readonly clock: Clock }, options: { readonly headersTimeoutMs?: number | undefined } = {}) {
    this.#clock = clock
    this.#headersTimeoutMs = options.headersTimeoutMs ?? REQUEST_HEADERS_TIMEOUT_MS
  }

  /** Connections that are open, for tests and the drain. */
  get size(): number {
    return this.#open.size
  }

  /** Takes over the stream; resolves when it is closed. */
  serve(stream: Duplex, handler: FrontHandler): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const connection = new Http1Connection(
      { stream, handler, clock: this.#clock },
      {
        isDraining: () => this.#isDraining,
        onClosed: () => {
          this.#open.delete(stream)
          resolve()
        },
      },
    )
    if (!stream.destroyed) this.#open.set(stream, connection)
    this.#check ??= this.#checkLater()
    return promise
  }

  /** From now on every answer is the last of its connection. */
  drain(): void {
    this.#isDraining = true
  }

  /** The answer under way is the last of this connection, which ends at once when there is none. */
  leave(stream: Duplex): void {
    this.#open.get(stream)?.leave()
  }

  /** Ends connections on which no request is under way. */
  closeIdle(): void {
    for (const connection of this.#open.values()) connection.closeIdle()
  }

  close(): void {
    this.#check?.[Symbol.dispose]()
    for (const connection of this.#open.values()) connection.cut()
  }

  /** One timer for all, and none while nothing is open. */
  #checkLater(): Disposable {
    return this.#clock.after(HEADERS_CHECK_MS, () => {
      for (const connection of this.#open.values()) connection.checkTime(this.#headersTimeoutMs, IDLE_TIMEOUT_MS)
      this.#check = this.#open.size > 0 ? this.#checkLater() : undefined
    })
  }
}
