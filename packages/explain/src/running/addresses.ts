import { allocate, type Pool } from '@ambit/controller/judgement'
import type { Ip } from '@ambit/core'
import { ip } from '@ambit/core'

/** Of nobody (RFC 2544): the ranges for documentation have no room for a mesh. */
const PODS: Pool = { base: ip('198.18.0.0'), length: 16 }
const SERVICES: Pool = { base: ip('198.19.0.0'), length: 16 }

/** Addresses for what has none yet; the same for the same names. */
export class MadeUpAddresses {
  readonly #used = new Set<Ip>()
  readonly #nodes = new Map<string, Ip>()

  pod(namespace: string, name: string): Ip {
    return this.#take(PODS, `${namespace}/${name}`)
  }

  service(namespace: string, name: string): Ip {
    return this.#take(SERVICES, `${namespace}/${name}`)
  }

  /** All pods that share a node's network have its address. */
  node(name: string): Ip {
    return this.#nodes.getOrInsertComputed(name, () => this.#take(PODS, `node/${name}`))
  }

  has(address: Ip): boolean {
    return this.#used.has(address)
  }

  #take(pool: Pool, name: string): Ip {
    const address = allocate(pool, name, (one) => this.#used.has(one))
    if (address === undefined) throw new RangeError(`no address is left to make up for ${name}`)
    this.#used.add(address)
    return address
  }
}
