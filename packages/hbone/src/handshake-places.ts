import type { Ip } from '@ambit/core'
import { HboneLimitError } from './errors.ts'
import { HANDSHAKE_SHARES } from './limits.ts'

/** How many handshakes of one server may be under way: nobody is authenticated yet, and one host must not take all places. */
export class HandshakePlaces {
  readonly #most: number
  /** By source address; an entry leaves with its last handshake. */
  readonly #of = new Map<Ip, number>()
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Why there is no place for another one of this source; undefined if there is one. */
  refusal(source: Ip): HboneLimitError | undefined {
    const share = Math.ceil(this.#most / HANDSHAKE_SHARES)
    if ((this.#of.get(source) ?? 0) >= share) {
      return new HboneLimitError(`refused: ${share} handshakes of ${source} are under way already`)
    }
    if (this.#taken >= this.#most) return new HboneLimitError(`refused: ${this.#most} handshakes are under way already`)
    return undefined
  }

  take(source: Ip): void {
    this.#taken++
    this.#of.set(source, (this.#of.get(source) ?? 0) + 1)
  }

  leave(source: Ip): void {
    this.#taken--
    const left = (this.#of.get(source) ?? 1) - 1
    if (left === 0) this.#of.delete(source)
    else this.#of.set(source, left)
  }
}
