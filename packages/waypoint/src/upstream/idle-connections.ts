import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import { MAX_IDLE_CONNECTIONS, MAX_IDLE_PER_ENDPOINT, UPSTREAM_IDLE_MS } from '../limits.ts'

interface Idle {
  readonly stream: Duplex
  readonly timer: Disposable
  readonly stop: () => void
}

/** HTTP/1.1 connections between two requests, by endpoint. The one used last is taken first, so that the others may end. */
export class IdleConnections {
  readonly #clock: Clock
  readonly #byEndpoint = new Map<string, Idle[]>()
  #size = 0
  #closed = false

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock
  }

  get size(): number {
    return this.#size
  }

  put(key: string, stream: Duplex): void {
    const idle = this.#byEndpoint.get(key) ?? []
    if (
      this.#closed ||
      stream.destroyed ||
      !stream.writable ||
      stream.readableEnded ||
      idle.length >= MAX_IDLE_PER_ENDPOINT ||
      this.#size >= MAX_IDLE_CONNECTIONS
    ) {
      stream.destroy()
      return
    }
    // Whatever comes now, data, an end or an error: it is of no use any more.
    const drop = (): void => {
      this.#remove(key, entry)
      stream.destroy()
    }
    for (const event of ENDINGS) stream.on(event, drop)
    stream.resume()
    const entry: Idle = {
      stream,
      timer: this.#clock.after(UPSTREAM_IDLE_MS, drop),
      stop: () => {
        for (const event of ENDINGS) stream.off(event, drop)
      },
    }
    idle.push(entry)
    this.#byEndpoint.set(key, idle)
    this.#size++
  }

  take(key: string): Duplex | undefined {
    const entry = this.#byEndpoint.get(key)?.at(-1)
    if (entry === undefined) return undefined
    this.#remove(key, entry)
    return entry.stream
  }

  close(): void {
    this.#closed = true
    for (const [key, idle] of [...this.#byEndpoint]) {
      for (const entry of [...idle]) {
        this.#remove(key, entry)
        entry.stream.destroy()
      }
    }
  }

  #remove(key: string, entry: Idle): void {
    const idle = this.#byEndpoint.get(key)
    const index = idle?.lastIndexOf(entry) ?? -1
    if (idle === undefined || index < 0) return
    idle.splice(index, 1)
    if (idle.length === 0) this.#byEndpoint.delete(key)
    this.#size--
    entry.timer[Symbol.dispose]()
    entry.stop()
  }
}

const ENDINGS = ['data', 'end', 'close', 'error'] as const
