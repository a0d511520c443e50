import { Backoff, type Clock, type Logger, messageOf } from '@ambit/core'

const RETRY = { initialMs: 20, maxMs: 5000 } as const

export interface WorkQueueOptions {
  readonly name: string
  readonly logger: Logger
  readonly clock: Clock
  readonly reconcile: (key: string) => Promise<void>
  /** Milliseconds between two runs for one key, so that a burst of changes costs few of them; the first run is at once. */
  readonly spacingMs?: number | undefined
}

interface Timer {
  readonly dueMs: number
  readonly handle: Disposable
}

/** Runs a reconciliation per key: never two of one key at once, again if asked meanwhile, again later if it failed. */
export class WorkQueue implements Disposable {
  readonly #options: WorkQueueOptions
  readonly #state = new Map<string, 'queued' | 'running' | 'again'>()
  readonly #backoff = new Map<string, Backoff>()
  readonly #timers = new Map<string, Timer>()
  readonly #lastRunMs = new Map<string, number>()
  readonly #ready: string[] = []
  #closed = false

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  add(key: string): void {
    if (this.#closed) return
    const state = this.#state.get(key)
    if (state === 'queued' || state === 'again') return
    if (state === 'running') return void this.#state.set(key, 'again')
    this.#state.set(key, 'queued')
    const { clock, spacingMs = 0 } = this.#options
    const waitMs = (this.#lastRunMs.get(key) ?? Number.NEGATIVE_INFINITY) + spacingMs - clock.monotonic()
    if (waitMs > 0) clock.after(waitMs, () => this.#start(key))
    else this.#start(key)
  }

  /** One run is begun per turn of the event loop, so that a hundred keys are no pause for others. */
  #start(key: string): void {
    if (this.#ready.push(key) === 1) setImmediate(() => this.#startNext())
  }

  #startNext(): void {
    const [key] = this.#ready
    if (key === undefined || this.#closed) return
    void this.#run(key)
    this.#ready.shift()
    if (this.#ready.length > 0) setImmediate(() => this.#startNext())
  }

  /** Asks for a run at the latest after that time; an earlier request stays. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return
    const dueMs = this.#options.clock.monotonic() + ms
    const before = this.#timers.get(key)
    if (before !== undefined && before.dueMs <= dueMs) return
    before?.handle[Symbol.dispose]()
    const handle = this.#options.clock.after(ms, () => {
      this.#timers.delete(key)
      this.add(key)
    })
    this.#timers.set(key, { dueMs, handle })
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const { handle } of this.#timers.values()) handle[Symbol.dispose]()
    this.#timers.clear()
    this.#state.clear()
  }

  async #run(key: string): Promise<void> {
    if (this.#closed) return
    const { logger, name, reconcile, spacingMs } = this.#options
    this.#state.set(key, 'running')
    if (spacingMs !== undefined) this.#rememberRun(key, spacingMs)
    try {
      await reconcile(key)
      this.#backoff.delete(key)
    } catch (error) {
      if (this.#closed) return
      let backoff = this.#backoff.get(key)
      if (backoff === undefined) this.#backoff.set(key, (backoff = new Backoff(RETRY)))
      logger.debug(`${name} ${key}: will be retried`, { error: messageOf(error) })
      this.addAfter(key, backoff.next())
    }
    const again = this.#state.get(key) === 'again'
    this.#state.delete(key)
    if (again) this.add(key)
  }

  #rememberRun(key: string, spacingMs: number): void {
    const startedMs = this.#options.clock.monotonic()
    this.#lastRunMs.set(key, startedMs)
    this.#options.clock.after(spacingMs, () => {
      if (this.#lastRunMs.get(key) === startedMs) this.#lastRunMs.delete(key)
    })
  }
}
