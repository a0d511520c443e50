import { Backoff, type Clock, type Closable, type Logger, messageOf } from '@ambit/core'
import { RECONCILE_CONCURRENCY, RETRY_INITIAL_MS, RETRY_MAX_MS } from './limits.ts'

interface Item {
  readonly backoff: Backoff
  running: boolean
  /** Asked for again while running. */
  again: boolean
  timer: Disposable | undefined
}

export interface WorkQueueComponents {
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Works on keys until each succeeds. A key is never worked on twice at once, requests for it meanwhile become one
 * more run, and failures are tried again with growing delays, for ever.
 */
export class WorkQueue implements Closable {
  readonly #components: WorkQueueComponents
  readonly #handle: (key: string) => Promise<void>
  readonly #items = new Map<string, Item>()
  readonly #ready: string[] = []
  #running = 0
  #closed = false
  #idle: (() => void)[] = []

  constructor(components: WorkQueueComponents, handle: (key: string) => Promise<void>) {
    this.#components = components
    this.#handle = handle
  }

  add(key: string): void {
    if (this.#closed) return
    const item = this.#items.get(key)
    if (item === undefined) {
      const backoff = new Backoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS })
      this.#items.set(key, { backoff, running: false, again: false, timer: undefined })
      this.#ready.push(key)
    } else if (item.running) {
      item.again = true
    } else if (item.timer !== undefined) {
      this.#expedite(key, item)
    }
    this.#pump()
  }

  /** Tries everything that waits for its next attempt now, and what is just failing once more. */
  retryNow(): void {
    for (const [key, item] of this.#items) {
      if (item.timer !== undefined) this.#expedite(key, item)
      else if (item.running) item.again = true
    }
    this.#pump()
  }

  /** Resolves once nothing runs and nothing is ready to run; keys that wait for a retry do not count. */
  idle(): Promise<void> {
    if (this.#running === 0 && this.#ready.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Starts nothing more and waits for what runs. */
  async close(): Promise<void> {
    this.#closed = true
    this.#ready.length = 0
    for (const item of this.#items.values()) item.timer?.[Symbol.dispose]()
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #expedite(key: string, item: Item): void {
    item.timer?.[Symbol.dispose]()
    item.timer = undefined
    this.#ready.push(key)
  }

  #pump(): void {
    while (!this.#closed && this.#running < RECONCILE_CONCURRENCY) {
      const key = this.#ready.shift()
      const item = key === undefined ? undefined : this.#items.get(key)
      if (key === undefined || item === undefined) break
      void this.#run(key, item)
    }
    if (this.#running > 0 || this.#ready.length > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #run(key: string, item: Item): Promise<void> {
    this.#running++
    item.running = true
    let failed = false
    try {
      await this.#handle(key)
    } catch (error) {
      failed = true
      this.#components.logger.warn('will try again', { key, error: messageOf(error) })
    }
    this.#running--
    item.running = false
    if (item.again) {
      // Failed or not, it has not seen what was asked for meanwhile.
      item.again = false
      if (!failed) item.backoff.reset()
      this.#ready.push(key)
    } else if (failed && !this.#closed) {
      item.timer = this.#components.clock.after(item.backoff.next(), () => {
        this.#expedite(key, item)
        this.#pump()
      })
    } else {
      this.#items.delete(key)
    }
    this.#pump()
  }
}
