import { MAX_SPARE_SLABS, OUTPUT_SLAB_BYTES } from './limits.ts'

/** Memory for output, shared by the connections of a thread: one that has nothing to say holds none. */
export class SlabPool {
  readonly #spare: Buffer[] = []

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_SLAB_BYTES)
  }

  /** Of larger ones, made for one frame, nothing is kept. */
  release(slab: Buffer): void {
    if (slab.length === OUTPUT_SLAB_BYTES && this.#spare.length < MAX_SPARE_SLABS) this.#spare.push(slab)
  }
}
