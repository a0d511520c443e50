import { writeSync } from 'node:fs'
import type { MessagePort } from 'node:worker_threads'
import { duplicate } from '@ambit/linux'
import type { Command } from './messages.types.ts'

/** Words that both threads see: whether the worker sleeps; batches that were posted, and batches that it took. */
export const STATE: Readonly<Record<'sleeps' | 'posted' | 'taken' | 'words', number>> = {
  sleeps: 0,
  posted: 1,
  taken: 2,
  words: 3,
}
const ONE: Buffer = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])

/** The main thread's end of the way commands go to a worker. */
export class CommandChannel {
  readonly #port: MessagePort
  readonly #state: Int32Array
  /** Ours until the worker has ended: it may do so at any time, and numbers of descriptors are used again. */
  readonly #wakeDescriptor: number
  /** Batches with descriptors that the worker may not have taken yet. */
  readonly #handed: { readonly number: number; readonly descriptors: readonly number[] }[] = []

  constructor(port: MessagePort, state: Int32Array, wakeDescriptor: number) {
    this.#port = port
    this.#state = state
    this.#wakeDescriptor = wakeDescriptor
  }

  send(batch: readonly Command[], transfers: ArrayBuffer[]): void {
    this.#forgetTaken()
    this.#port.postMessage(batch, transfers)
    // In 32 bits, as the other side counts.
    const number = (Atomics.add(this.#state, STATE.posted, 1) + 1) | 0
    const descriptors = batch.flatMap((command) => ('fd' in command ? [command.fd] : []))
    if (descriptors.length > 0) this.#handed.push({ number, descriptors })
    if (Atomics.load(this.#state, STATE.sleeps) === 1) writeSync(this.#wakeDescriptor, ONE)
  }

  /** The worker has ended: what it never took is nobody's. */
  [Symbol.dispose](): void {
    this.#forgetTaken()
    for (const { descriptors } of this.#handed.splice(0)) for (const fd of descriptors) duplicate.close(fd)
    duplicate.close(this.#wakeDescriptor)
  }

  #forgetTaken(): void {
    const taken = Atomics.load(this.#state, STATE.taken)
    while (this.#handed[0] !== undefined && ((this.#handed[0].number - taken) | 0) <= 0) this.#handed.shift()
  }
}
