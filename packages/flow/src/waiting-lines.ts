import { encodeLost } from './flow-line.ts'
import { FLOW_CHUNK, MAX_WAITING_FLOWS } from './limits.ts'

/** Lines that one client has still to read. When it is too slow the oldest go, and it is told how many. */
export class WaitingLines {
  readonly #maxChars: number
  #lines: string[] = []
  /** Where the first line is that still waits. */
  #first = 0
  #chars = 0
  #lost = 0
  #wake: (() => void) | undefined

  constructor(options: { readonly maxChars?: number | undefined } = {}) {
    this.#maxChars = options.maxChars ?? MAX_WAITING_FLOWS
  }

  get isEmpty(): boolean {
    return this.#first === this.#lines.length && this.#lost === 0
  }

  push(line: string): void {
    this.#lines.push(line)
    this.#chars += line.length
    while (this.#chars > this.#maxChars) {
      this.#chars -= this.#lines[this.#first]?.length ?? 0
      this.#lines[this.#first++] = ''
      this.#lost++
    }
    // What was taken from the front is let go of now and then, not at every line.
    if (this.#first > COMPACT_AT && this.#first > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#first)
      this.#first = 0
    }
    this.#wake?.()
  }

  /** The next lines, at most a chunk of them, and how many were lost before them. */
  take(): { readonly text: string; readonly lost: number } {
    const lost = this.#lost
    let text = lost === 0 ? '' : encodeLost(lost)
    this.#lost = 0
    while (this.#first < this.#lines.length && text.length < FLOW_CHUNK) {
      const line = this.#lines[this.#first] ?? ''
      this.#lines[this.#first++] = ''
      this.#chars -= line.length
      text += line
    }
    if (this.#first === this.#lines.length) {
      this.#lines = []
      this.#first = 0
    }
    return { text, lost }
  }

  /** Calls back once there is something to take; one at a time. */
  onLine(wake: (() => void) | undefined): void {
    this.#wake = wake
  }
}

const COMPACT_AT = 1_024
