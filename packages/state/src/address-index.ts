import type { Ip } from '@ambit/core'

/** Values by address and network; nearly every address has one, which then costs no set. */
export class AddressIndex<T extends object> {
  readonly #networks = new Map<string, Map<Ip, T | Set<T>>>()

  /** In the order they came. */
  all(network: string, ip: Ip): Iterable<T> {
    const held = this.#networks.get(network)?.get(ip)
    if (held === undefined) return NONE
    return held instanceof Set ? held : [held]
  }

  add(network: string, ip: Ip, value: T): void {
    let addresses = this.#networks.get(network)
    if (addresses === undefined) {
      addresses = new Map()
      this.#networks.set(network, addresses)
    }
    const held = addresses.get(ip)
    if (held === undefined) addresses.set(ip, value)
    else if (held instanceof Set) held.add(value)
    else if (held !== value) addresses.set(ip, new Set([held, value]))
  }

  remove(network: string, ip: Ip, value: T): void {
    const addresses = this.#networks.get(network)
    const held = addresses?.get(ip)
    if (addresses === undefined || held === undefined) return
    if (held instanceof Set) {
      held.delete(value)
      const [last] = held
      if (held.size === 1 && last !== undefined) addresses.set(ip, last)
    } else if (held === value) addresses.delete(ip)
    if (addresses.size === 0) this.#networks.delete(network)
  }
}

const NONE: readonly never[] = []
