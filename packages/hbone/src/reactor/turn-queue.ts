import { HANDSHAKES_PER_TURN } from '../limits.ts'

/** Something that has its turn: one step at a time, so that bulk does not keep others waiting. */
export interface Runnable {
  isQueued: boolean
  step(): void
}

/** Something that gathers what leaves at the end of a turn. */
export interface Flushable {
  flush(): void
}

/** Who has something to do. Whatever is put in while a turn runs has its turn in the next one. */
export class TurnQueue {
  #ready: Runnable[] = []
  /** Those whose step takes as long as a hundred of the others'. */
  readonly #slow: Runnable[] = []
  #dirty: Flushable[] = []

  get isIdle(): boolean {
    return this.#ready.length === 0 && this.#slow.length === 0 && this.#dirty.length === 0
  }

  run(runnable: Runnable): void {
    if (runnable.isQueued) return
    runnable.isQueued = true
    this.#ready.push(runnable)
  }

  /** Not with all others of its kind in one turn. */
  runSlow(runnable: Runnable): void {
    if (runnable.isQueued) return
    runnable.isQueued = true
    this.#slow.push(runnable)
  }

  /** To be asked for once a turn. */
  flushLater(flushable: Flushable): void {
    this.#dirty.push(flushable)
  }

  /** One step of each that has something to do; then what they gathered leaves. */
  turn(): void {
    const ready = this.#ready
    this.#ready = []
    for (const runnable of ready) step(runnable)
    for (const runnable of this.#slow.splice(0, HANDSHAKES_PER_TURN)) step(runnable)
    const dirty = this.#dirty
    this.#dirty = []
    for (const flushable of dirty) flushable.flush()
  }
}

function step(runnable: Runnable): void {
  runnable.isQueued = false
  runnable.step()
}
