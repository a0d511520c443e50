import type { Duplex } from 'node:stream'
import { ReadSlabs, type SpliceCounters, splice } from '@ambit/hbone'
import type { Cut } from './cut.ts'
import type { ByteCounter } from './events.ts'
import { type ConnectionFailure, copyFailure } from './failures.ts'

/** Bytes of one connection, counted while they flow; the application or peer that opened it is side `a`. */
export class Bytes implements ByteCounter, SpliceCounters {
  aToB = 0
  bToA = 0

  get fromDownstream(): number {
    return this.aToB
  }

  get toDownstream(): number {
    return this.bToA
  }
}

/** Copies the bytes of all connections of a process. */
export class Relay {
  readonly #slabs = new ReadSlabs()

  /** Copies both ways until both directions have ended; answers why it ended early, if it did. The cut must own both streams. */
  async copy(downstream: Duplex, upstream: Duplex, bytes: Bytes, cut: Cut): Promise<ConnectionFailure | undefined> {
    const { error } = await splice(downstream, upstream, { counters: bytes, slabs: this.#slabs })
    if (cut.failure !== undefined) return cut.failure
    return error === undefined ? undefined : copyFailure(error)
  }
}
