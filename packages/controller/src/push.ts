import type { Clock, Counter, Histogram, Logger, Metrics } from '@ambit/core'
import type { MeshIndex } from './index/mesh-index.ts'
import { FLUSH_MAX_MS, FLUSH_MAX_WORKLOADS, FLUSH_QUIET_MS } from './limits.ts'

/**
 * Decides when collected changes are compiled: at once after a rest, a little later when something was compiled just
 * before, later still while more keep coming, but never so late that a user notices.
 */
export class Pusher implements Disposable {
  readonly #index: MeshIndex
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #duration: Histogram
  readonly #units: Counter
  #timer: Disposable | undefined
  #started = false
  #flushedMs = Number.NEGATIVE_INFINITY
  /** Nothing that was known at the start waits any more. */
  readonly #caughtUp = Promise.withResolvers<void>()

  constructor(components: {
    readonly index: MeshIndex
    readonly clock: Clock
    readonly logger: Logger
    readonly metrics: Metrics
  }) {
    this.#index = components.index
    this.#clock = components.clock
    this.#logger = components.logger
    this.#duration = components.metrics.histogram({
      name: 'ambit_compile_seconds',
      help: 'Time to compile one batch of changes',
      buckets: [0.0001, 0.001, 0.01, 0.1, 1, 10],
    })
    this.#units = components.metrics.counter({
      name: 'ambit_compiled_units_total',
      help: 'Objects compiled again because of a change',
    })
    this.#index.onDirty(() => this.#arm())
  }

  /** Compiles everything known so far, in turns between which leases and calls have theirs, and from now on changes as they come. */
  start(): Promise<void> {
    this.#started = true
    this.#flush(FLUSH_MAX_WORKLOADS)
    return this.#caughtUp.promise
  }

  [Symbol.dispose](): void {
    this.#started = false
    this.#timer?.[Symbol.dispose]()
  }

  #arm(): void {
    if (!this.#started || this.#timer !== undefined) return
    const now = this.#clock.monotonic()
    // With no delay at all what one read of a watch brings still goes together.
    if (now - this.#flushedMs < FLUSH_QUIET_MS) this.#wait(now, this.#index.pending)
    else this.#timer = this.#clock.after(0, () => this.#flush(FLUSH_MAX_WORKLOADS))
  }

  #wait(firstMs: number, seen: number): void {
    this.#timer = this.#clock.after(FLUSH_QUIET_MS, () => {
      const grown = this.#index.pending > seen
      const waited = this.#clock.monotonic() - firstMs
      if (grown && waited + FLUSH_QUIET_MS <= FLUSH_MAX_MS) this.#wait(firstMs, this.#index.pending)
      else this.#flush(FLUSH_MAX_WORKLOADS)
    })
  }

  #flush(maxWorkloads: number): void {
    this.#timer = undefined
    const started = this.#clock.monotonic()
    const units = this.#index.flush(maxWorkloads)
    this.#flushedMs = this.#clock.monotonic()
    const ms = this.#flushedMs - started
    this.#duration.observe({}, ms / 1000)
    this.#units.add({}, units)
    if (this.#index.pending > 0) this.#timer = this.#clock.after(0, () => this.#flush(FLUSH_MAX_WORKLOADS))
    else this.#caughtUp.resolve()
    this.#logger.debug('compiled', { units, ms: Math.round(ms * 10) / 10 })
  }
}
