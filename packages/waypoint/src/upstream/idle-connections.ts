import type { Clock } from '@ambit/core'
import { MAX_IDLE_CONNECTIONS, MAX_IDLE_PER_ENDPOINT, UPSTREAM_IDLE_MS } from '../limits.ts'
import type { Http1Upstream } from './http1-connection.ts'

interface Idle {
  readonly connection: Http1Upstream
  /** Monotonic. */
  readonly sinceMs: number
}

/** Idle connections are looked at this often, and closed when they would be too old by the next time. */
const CHECK_MS: number = UPSTREAM_IDLE_MS / 4

/** HTTP/1.1 connections between two requests, by endpoint. The one used last is taken first, so that the others may end. */
export class IdleConnections {
  readonly #clock: Clock
  readonly #byEndpoint = new Map<string, Idle[]>()
  #check: Disposable | undefined
  #size = 0
  #closed = false

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock
  }

  get size(): number {
    return this.#size
  }

  put(key: string, connection: Http1Upstream): void {
    let idle = this.#byEndpoint.get(key)
    if (
      this.#closed ||
      !connection.isUsable ||
      (idle?.length ?? 0) >= MAX_IDLE_PER_ENDPOINT ||
      this.#size >= MAX_IDLE_CONNECTIONS
    ) {
      connection.close()
      return
    }
    if (idle === undefined) this.#byEndpoint.set(key, (idle = []))
    idle.push({ connection, sinceMs: this.#clock.monotonic() })
    this.#size++
    connection.onUseless = () => this.#remove(key, connection)
    this.#check ??= this.#checkLater()
  }

  take(key: string): Http1Upstream | undefined {
    const idle = this.#byEndpoint.get(key)
    const entry = idle?.pop()
    if (idle === undefined || entry === undefined) return undefined
    if (idle.length === 0) this.#byEndpoint.delete(key)
    this.#size--
    entry.connection.onUseless = undefined
    return entry.connection
  }

  close(): void {
    this.#closed = true
    this.#check?.[Symbol.dispose]()
    this.#end(() => true)
  }

  #remove(key: string, connection: Http1Upstream): void {
    const idle = this.#byEndpoint.get(key)
    const index = idle?.findLastIndex((entry) => entry.connection === connection) ?? -1
    if (idle === undefined || index < 0) return
    idle.splice(index, 1)
    if (idle.length === 0) this.#byEndpoint.delete(key)
    this.#size--
  }

  /** Closes those that are due. */
  #end(isDue: (entry: Idle) => boolean): void {
    for (const idle of [...this.#byEndpoint.values()]) {
      for (const entry of [...idle]) if (isDue(entry)) entry.connection.close()
    }
  }

  /** One timer for all, and none while there is nothing. */
  #checkLater(): Disposable {
    return this.#clock.after(CHECK_MS, () => {
      const oldest = this.#clock.monotonic() - UPSTREAM_IDLE_MS + CHECK_MS
      this.#end(({ sinceMs }) => sinceMs <= oldest)
      this.#check = this.#size > 0 ? this.#checkLater() : undefined
    })
  }
}
