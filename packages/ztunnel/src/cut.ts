import type { Cuttable } from './data-path/data-path.types.ts'
import type { ConnectionFailure } from './failures.ts'

/** One way to end a connection from outside, at any phase of it, with the first reason winning. */
export class Cut {
  /** Made on demand: most parts of a connection's life do not ask for it. */
  #controller: AbortController | undefined
  readonly #owned: Cuttable[] = []
  #failure: ConnectionFailure | undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#failure !== undefined) this.#controller.abort(this.#failure)
    }
    return this.#controller.signal
  }

  /** Why the connection was ended from outside, if it was. */
  get failure(): ConnectionFailure | undefined {
    return this.#failure
  }

  /** What ends with the connection; one that comes too late ends at once. */
  owns(what: Cuttable): void {
    if (this.#failure !== undefined) what.cut()
    else this.#owned.push(what)
  }

  readonly end = (failure: ConnectionFailure): void => {
    if (this.#failure !== undefined) return
    this.#failure = failure
    // Sockets come before tunnels in the list and must go first: the end of a tunnel starts an orderly shutdown of its
    // socket, and one that is under way cannot be turned into a reset (libuv refuses, and Node then leaks the handle).
    for (const what of this.#owned) what.cut()
    this.#controller?.abort(failure)
  }

  throwIfCut(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}
