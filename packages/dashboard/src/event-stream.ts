import type { Writable } from 'node:stream'
import type { Clock } from '@ambit/core'
import { SLOW_PAGE_MS } from './limits.ts'

/** Server-sent events for one page. A page that reads slowly misses states in between, never the newest. */
export class EventStream implements Disposable {
  readonly #response: Writable
  readonly #clock: Clock
  #waiting: string | undefined
  #patience: Disposable | undefined

  constructor(response: Writable, clock: Clock) {
    this.#response = response
    this.#clock = clock
    response.on('drain', () => this.#drained())
    response.on('close', () => this[Symbol.dispose]())
  }

  /** An event that must not be missed; only for the beginning of a stream. */
  greet(name: string, json: string): void {
    this.#write(frame(name, json))
  }

  /** A state, which makes earlier ones that were not sent yet worthless. */
  offer(name: string, json: string): void {
    if (this.#response.destroyed) return
    if (this.#patience === undefined) this.#write(frame(name, json))
    else this.#waiting = frame(name, json)
  }

  [Symbol.dispose](): void {
    this.#patience?.[Symbol.dispose]()
    this.#patience = undefined
    this.#waiting = undefined
    this.#response.destroy()
  }

  #write(text: string): void {
    if (this.#response.write(text)) return
    this.#patience ??= this.#clock.after(SLOW_PAGE_MS, () => this[Symbol.dispose]())
  }

  #drained(): void {
    this.#patience?.[Symbol.dispose]()
    this.#patience = undefined
    const next = this.#waiting
    this.#waiting = undefined
    if (next !== undefined) this.#write(next)
  }
}

/** JSON has no line breaks of its own, so an event is one line of data. */
function frame(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`
}
