const PREFIX_BYTES = 5

/** Counts gRPC messages in a body as it flows by: each is a flag, a length of four bytes, and so many bytes. */
export class GrpcMessageCounter {
  count = 0
  readonly #prefix = new Uint8Array(PREFIX_BYTES)
  #havePrefix = 0
  #left = 0

  take(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at)
        this.#left -= skipped
        at += skipped
        continue
      }
      this.#prefix[this.#havePrefix++] = chunk[at++] ?? 0
      if (this.#havePrefix < PREFIX_BYTES) continue
      this.#havePrefix = 0
      this.count++
      const [, a = 0, b = 0, c = 0, d = 0] = this.#prefix
      this.#left = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d
    }
  }
}
