import { SlabPool } from '@ambit/http2'
import {
  type Address,
  addressOf,
  type EventLoop,
  IoVectors,
  type Native,
  nativeBytes,
  type OpenSsl,
  ReactorSocket,
  TlsOutputs,
  type Watcher,
} from '@ambit/linux'
import { COPY_QUANTUM_BYTES, TLS_READ_BATCH_BYTES, TLS_RECORD_BYTES } from '../limits.ts'
import type { ReactorEvent } from './messages.types.ts'
import { TurnQueue } from './turn-queue.ts'

/** Memory with its address. */
export interface Region {
  readonly bytes: Buffer
  readonly pointer: bigint
  readonly address: Address
}

/** What everything on a worker's thread uses in turns. Nothing in its memory outlives the step that put it there. */
export class Shared implements Disposable {
  readonly loop: EventLoop
  readonly native: Native
  readonly openssl: OpenSsl
  readonly outputs: TlsOutputs
  readonly slabs: SlabPool = new SlabPool()
  /** What was read of a socket. */
  readonly scratch: Region
  /** Decrypted records: one region, with the address of each record's place made in advance. */
  readonly plain: Region
  readonly records: readonly bigint[]
  readonly queue: TurnQueue = new TurnQueue()
  /** For one write. */
  readonly vectors: IoVectors
  /** Pieces of `plain` for one receiver, gathered while records are read. */
  readonly pieces: IoVectors
  readonly #post: (event: ReactorEvent) => void
  readonly #forget: (id: number) => void
  readonly #slabPointers = new WeakMap<Buffer, bigint>()

  constructor(
    components: { readonly loop: EventLoop; readonly openssl: OpenSsl },
    tell: { readonly post: (event: ReactorEvent) => void; readonly forget: (id: number) => void },
  ) {
    this.loop = components.loop
    this.openssl = components.openssl
    this.native = components.loop.native
    this.outputs = new TlsOutputs(components.openssl)
    this.#post = tell.post
    this.#forget = tell.forget
    const { ffi } = this.native
    this.scratch = region(ffi, COPY_QUANTUM_BYTES)
    this.plain = region(ffi, TLS_READ_BATCH_BYTES)
    this.records = Array.from(
      { length: TLS_READ_BATCH_BYTES / TLS_RECORD_BYTES },
      (_, index) => this.plain.pointer + BigInt(index * TLS_RECORD_BYTES),
    )
    this.vectors = new IoVectors(ffi)
    this.pieces = new IoVectors(ffi)
  }

  post(event: ReactorEvent): void {
    this.#post(event)
  }

  forget(id: number): void {
    this.#forget(id)
  }

  /** Takes a descriptor over; should that fail, it is closed. */
  own(fd: number, watcher: Watcher): ReactorSocket {
    try {
      return new ReactorSocket(this.loop, fd, watcher)
    } catch (error) {
      this.native.calls.close(fd)
      throw error
    }
  }

  /** Of an output slab of HTTP/2; these are used again and again. */
  pointerOf(slab: Buffer): bigint {
    const known = this.#slabPointers.get(slab)
    if (known !== undefined) return known
    const pointer = this.native.ffi.getRawPointer(slab)
    this.#slabPointers.set(slab, pointer)
    return pointer
  }

  [Symbol.dispose](): void {
    this.outputs[Symbol.dispose]()
  }
}

function region(ffi: Native['ffi'], length: number): Region {
  const { bytes, pointer } = nativeBytes(ffi, length)
  return { bytes, pointer, address: addressOf(pointer) }
}
