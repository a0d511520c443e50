import type { SpliceCounters } from '@ambit/hbone'
import type { ByteCounter } from '../events.ts'

/** Bytes of one connection, counted while they flow; the application or peer that opened it is side `a`. */
export class Bytes implements ByteCounter, SpliceCounters {
  aToB = 0
  bToA = 0
  /** Where somebody else counts them. */
  #elsewhere: Readonly<SpliceCounters> | undefined

  get fromDownstream(): number {
    return (this.#elsewhere ?? this).aToB
  }

  get toDownstream(): number {
    return (this.#elsewhere ?? this).bToA
  }

  countedBy(counters: Readonly<SpliceCounters>): void {
    this.#elsewhere = counters
  }
}
