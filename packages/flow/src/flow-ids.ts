import { randomBytes } from 'node:crypto'

/** Bytes that tell one proxy's ids from those of all others, and from its own before it was restarted. */
const PREFIX_BYTES = 6

/** Numbers the flows of one process, `9f3ac21b77e0-1k`. Cheap until it is asked for the text. */
export class FlowIds {
  readonly #prefix = randomBytes(PREFIX_BYTES).toString('hex')
  #last = 0

  next(): number {
    return ++this.#last
  }

  text(number: number): string {
    return `${this.#prefix}-${number.toString(36)}`
  }
}
