import { type Clock, TimeSlices } from '@ambit/core'
import type { Flow } from './flow.types.ts'
import { encodeFlow } from './flow-line.ts'
import { type FlowQuery, isWanted } from './flow-query.ts'
import { FlowRing } from './flow-ring.ts'
import {
  FLOW_CHUNK,
  FLOW_HEARTBEAT_MS,
  FLOW_SLICE_MS,
  FLOW_UPDATE_MS,
  MAX_FLOW_FOLLOWERS,
  MAX_KEPT_DENIALS,
  MAX_KEPT_FAILURES,
} from './limits.ts'
import { WaitingLines } from './waiting-lines.ts'

/** A connection or request under way. */
export interface LiveFlow {
  /** Differs whenever there is something new to tell. */
  readonly progress: number
  /** As it is now. Undefined once it is over. */
  tell(): Flow | undefined
}

export interface FlowJournalComponents {
  /** All that is open now. */
  readonly live: () => Iterable<LiveFlow>
  readonly clock: Clock
}

interface Follower {
  readonly query: FlowQuery
  readonly waiting: WaitingLines
}

/**
 * What a proxy tells of connections and requests: those open now, those denied or failed lately, and live what happens, to whoever
 * follows. Without a follower only what is denied or failed costs anything.
 */
export class FlowJournal {
  readonly #live: () => Iterable<LiveFlow>
  readonly #clock: Clock
  readonly #maxWaitingChars: number | undefined
  readonly #denied = new FlowRing(MAX_KEPT_DENIALS)
  readonly #failed = new FlowRing(MAX_KEPT_FAILURES)
  readonly #followers = new Set<Follower>()
  /** What was last told of each open flow. */
  #told = new WeakMap<LiveFlow, number>()
  #timer: Disposable | undefined

  constructor(components: FlowJournalComponents, options: { readonly maxWaitingChars?: number } = {}) {
    this.#live = components.live
    this.#clock = components.clock
    this.#maxWaitingChars = options.maxWaitingChars
  }

  /** Whether anybody listens: what is only for listeners need not be made otherwise. */
  get isFollowed(): boolean {
    return this.#followers.size > 0
  }

  get followers(): number {
    return this.#followers.size
  }

  get hasRoom(): boolean {
    return this.#followers.size < MAX_FLOW_FOLLOWERS
  }

  opened(live: LiveFlow): void {
    if (this.#followers.size === 0) return
    const flow = live.tell()
    if (flow === undefined) return
    this.#told.set(live, live.progress)
    this.#publish(flow)
  }

  /** Over, in whatever state. */
  ended(flow: Flow): void {
    if (flow.state === 'denied') this.#denied.add(flow)
    else if (flow.state === 'failed') this.#failed.add(flow)
    if (this.#followers.size > 0) this.#publish(flow)
  }

  /** Lines for one client: what there is, then, if it watches, what happens until the signal. */
  async *lines(query: FlowQuery, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    if (!query.watch) {
      yield* this.#present(query, signal)
      return
    }
    const follower: Follower = { query, waiting: new WaitingLines({ maxChars: this.#maxWaitingChars }) }
    this.#follow(follower)
    try {
      // Events from here on wait until the present is told.
      yield* this.#present(query, signal)
      while (!signal.aborted) yield* this.#next(follower, signal)
    } finally {
      this.#leave(follower)
    }
  }

  async *#next({ query, waiting }: Follower, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    let lost = 0
    while (!waiting.isEmpty && !signal.aborted) {
      const taken = waiting.take()
      lost += taken.lost
      yield taken.text
    }
    // Among the lost may be ends of what this client takes for open. It has caught up: it is told what is.
    if (lost > 0) yield* this.#open(query, signal)
    else if (!(await this.#arrival(waiting, signal))) yield '\n'
  }

  /** Whether something came before it was time for a sign of life. */
  async #arrival(waiting: WaitingLines, signal: AbortSignal): Promise<boolean> {
    if (!waiting.isEmpty || signal.aborted) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const wake = (): void => resolve(true)
    waiting.onLine(wake)
    signal.addEventListener('abort', wake)
    using _beat = this.#clock.after(FLOW_HEARTBEAT_MS, () => resolve(false))
    try {
      return await promise
    } finally {
      waiting.onLine(undefined)
      signal.removeEventListener('abort', wake)
    }
  }

  async *#present(query: FlowQuery, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    const kept = [...this.#denied, ...this.#failed]
    const live = [...this.#live()]
    yield* this.#chunks(kept, query, signal, (flow) => flow)
    yield* this.#chunks(live, query, signal, this.#tell)
  }

  readonly #tell = (live: LiveFlow): Flow | undefined => {
    // Nobody else waits to be told of it.
    if (this.#followers.size === 1) this.#told.set(live, live.progress)
    return live.tell()
  }

  async *#open(query: FlowQuery, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    yield* this.#chunks([...this.#live()], query, signal, this.#tell)
  }

  async *#chunks<T>(
    among: readonly T[],
    query: FlowQuery,
    signal: AbortSignal,
    tell: (each: T) => Flow | undefined,
  ): AsyncGenerator<string, void, undefined> {
    const slices = new TimeSlices(FLOW_SLICE_MS)
    let text = ''
    for (const each of among) {
      if (signal.aborted) return
      const flow = tell(each)
      if (flow !== undefined && isWanted(flow, query)) text += encodeFlow(flow)
      if (text.length >= FLOW_CHUNK) {
        yield text
        text = ''
      }
      if (slices.isOver) await slices.next()
    }
    if (text !== '') yield text
  }

  #follow(follower: Follower): void {
    this.#followers.add(follower)
    if (this.#followers.size === 1) this.#updateLater()
  }

  #leave(follower: Follower): void {
    this.#followers.delete(follower)
    if (this.#followers.size > 0) return
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.#told = new WeakMap()
  }

  #updateLater(): void {
    this.#timer = this.#clock.after(FLOW_UPDATE_MS, () => void this.#update())
  }

  /** Tells open flows again of which more is known, and those for the first time that are not worth it before they have lasted a while. */
  async #update(): Promise<void> {
    const timer = this.#timer
    const slices = new TimeSlices(FLOW_SLICE_MS)
    for (const live of [...this.#live()]) {
      const { progress } = live
      if (this.#told.get(live) !== progress) {
        this.#told.set(live, progress)
        const flow = live.tell()
        if (flow !== undefined) this.#publish(flow)
      }
      if (slices.isOver) await slices.next()
    }
    // Whoever left meanwhile has stopped it, and who came then has started it anew.
    if (this.#timer === timer && this.#followers.size > 0) this.#updateLater()
  }

  #publish(flow: Flow): void {
    let line: string | undefined
    for (const { query, waiting } of this.#followers) {
      if (!isWanted(flow, query)) continue
      line ??= encodeFlow(flow)
      waiting.push(line)
    }
  }
}
