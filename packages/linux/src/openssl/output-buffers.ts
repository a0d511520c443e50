import { MAX_SPARE_TLS_OUTPUT_BUFFERS, MAX_SPARE_TLS_OUTPUT_BYTES } from '../limits.ts'
import type { Address } from '../reactor/io-vectors.ts'
import type { OpenSsl } from './openssl.ts'

/** struct buf_mem_st: length, data, max; words of 32 bits, lower half first. */
const STRUCT_BYTES = 32
const BIO_CTRL_SET_BUF_MEM = 114
const BIO_NOCLOSE = 0n

/** Encrypted bytes in native memory, on their way to a socket. */
export class TlsOutput {
  readonly pointer: bigint
  readonly #words: Uint32Array

  constructor(pointer: bigint, words: Uint32Array) {
    this.pointer = pointer
    this.#words = words
  }

  get length(): number {
    return this.#words[0] as number
  }

  get data(): Address {
    return { low: this.#words[2] as number, high: this.#words[3] as number }
  }

  get capacity(): number {
    return this.#words[4] as number
  }

  empty(): void {
    this.#words[0] = 0
  }
}

/**
 * Where the sessions of a thread write. All share one memory BIO: whatever calls OpenSSL for a session takes what came of it before
 * anything else is called. So a session that has nothing to send holds no memory, and what a slow peer does not take is kept, not copied.
 */
export class TlsOutputs implements Disposable {
  readonly #openssl: OpenSsl
  readonly #bio: bigint
  readonly #spare: TlsOutput[] = []
  #current: TlsOutput

  constructor(openssl: OpenSsl) {
    const { calls } = openssl
    this.#openssl = openssl
    this.#bio = calls.BIO_new(calls.BIO_s_mem())
    if (this.#bio === 0n) throw openssl.failure('no memory for TLS')
    this.#current = this.#make()
    this.#attach(this.#current)
  }

  /** Bytes that the last call wrote. */
  get waiting(): number {
    return this.#current.length
  }

  /** For SSL_set_bio, which takes a reference over. */
  reference(): bigint {
    this.#openssl.calls.BIO_up_ref(this.#bio)
    return this.#bio
  }

  /** Hands over what was written; to be given back by `release`. */
  take(): TlsOutput {
    const taken = this.#current
    this.#current = this.#spare.pop() ?? this.#make()
    this.#attach(this.#current)
    return taken
  }

  release(output: TlsOutput): void {
    if (this.#spare.length >= MAX_SPARE_TLS_OUTPUT_BUFFERS || output.capacity > MAX_SPARE_TLS_OUTPUT_BYTES) {
      this.#free(output)
      return
    }
    output.empty()
    this.#spare.push(output)
  }

  [Symbol.dispose](): void {
    this.#openssl.calls.BIO_free(this.#bio)
    for (const output of [this.#current, ...this.#spare.splice(0)]) this.#free(output)
  }

  #attach(output: TlsOutput): void {
    // Not BIO_reset, which overwrites the whole buffer with zeros each time.
    this.#openssl.calls.BIO_ctrl(this.#bio, BIO_CTRL_SET_BUF_MEM, BIO_NOCLOSE, output.pointer)
  }

  #make(): TlsOutput {
    const { calls, counts, ffi } = this.#openssl
    const pointer = calls.BUF_MEM_new()
    if (pointer === 0n) throw this.#openssl.failure('no memory for TLS')
    counts.outputBuffers++
    return new TlsOutput(pointer, new Uint32Array(ffi.toArrayBuffer(pointer, STRUCT_BYTES, false)))
  }

  #free(output: TlsOutput): void {
    this.#openssl.calls.BUF_MEM_free(output.pointer)
    this.#openssl.counts.outputBuffers--
  }
}
