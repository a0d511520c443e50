import type { Clock } from '@ambit/core'

/** Runs `action` once changes pause for `quietMs`, at the latest `maxMs` after the first. */
export class Debounce implements Disposable {
  readonly #clock: Clock
  readonly #action: () => void
  readonly #quietMs: number
  readonly #maxMs: number
  #firstAt = 0
  #timer: Disposable | undefined

  constructor(clock: Clock, action: () => void, options: { readonly quietMs: number; readonly maxMs: number }) {
    this.#clock = clock
    this.#action = action
    this.#quietMs = options.quietMs
    this.#maxMs = options.maxMs
  }

  trigger(): void {
    const now = this.#clock.monotonic()
    if (this.#timer === undefined) this.#firstAt = now
    else this.#timer[Symbol.dispose]()
    const left = this.#firstAt + this.#maxMs - now
    this.#timer = this.#clock.after(Math.max(0, Math.min(this.#quietMs, left)), () => {
      this.#timer = undefined
      this.#action()
    })
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }
}
