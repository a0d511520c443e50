import { MAX_SPARE_SLABS, OUTPUT_SLAB_BYTES } from './limits.ts'

/** Memory for output, shared by the connections of a thread: one that has nothing to say holds none. */
export class SlabPool {
  readonly #spare: Buffer[] = []
  readonly #slabBytes: number
  readonly #maxSpare: number

  /** Smaller ones where many connections speak in one turn and what they say is copied on. */
  constructor(options: { readonly slabBytes?: number | undefined; readonly maxSpare?: number | undefined } = {}) {
    this.#slabBytes = options.slabBytes ?? OUTPUT_SLAB_BYTES
    this.#maxSpare = options.maxSpare ?? MAX_SPARE_SLABS
  }

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#slabBytes)
  }

  /** Of larger ones, made for one frame, nothing is kept. */
  release(slab: Buffer): void {
    if (slab.length === this.#slabBytes && this.#spare.length < this.#maxSpare) this.#spare.push(slab)
  }
}
