import { Backoff, type Clock, type Logger, messageOf } from '@ambit/core'

const RETRY = { initialMs: 20, maxMs: 5000 } as const

/** Runs a reconciliation per key: never two of one key at once, again if asked meanwhile, again later if it failed. */
export class WorkQueue implements Disposable {
  readonly #reconcile: (key: string) => Promise<void>
  readonly #name: string
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #state = new Map<string, 'queued' | 'running' | 'again'>()
  readonly #backoff = new Map<string, Backoff>()
  #closed = false

  constructor(o: {
    readonly name: string
    readonly logger: Logger
    readonly clock: Clock
    readonly reconcile: (key: string) => Promise<void>
  }) {
    this.#reconcile = o.reconcile
    this.#name = o.name
    this.#logger = o.logger
    this.#clock = o.clock
  }

  add(key: string): void {
    if (this.#closed) return
    const state = this.#state.get(key)
    if (state === 'queued' || state === 'again') return
    if (state === 'running') return void this.#state.set(key, 'again')
    this.#state.set(key, 'queued')
    setImmediate(() => void this.#run(key))
  }

  addAfter(key: string, ms: number): void {
    this.#clock.after(ms, () => this.add(key))
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#state.clear()
  }

  async #run(key: string): Promise<void> {
    if (this.#closed) return
    this.#state.set(key, 'running')
    try {
      await this.#reconcile(key)
      this.#backoff.delete(key)
    } catch (error) {
      if (this.#closed) return
      let backoff = this.#backoff.get(key)
      if (backoff === undefined) this.#backoff.set(key, (backoff = new Backoff(RETRY)))
      this.#logger.debug(`${this.#name} ${key}: will be retried`, { error: messageOf(error) })
      this.addAfter(key, backoff.next())
    }
    const again = this.#state.get(key) === 'again'
    this.#state.delete(key)
    if (again) this.add(key)
  }
}
