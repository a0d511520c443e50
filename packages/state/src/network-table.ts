import { type Cidr, type Ip, ipFamily, ipToBytes } from '@ambit/core'
import { ipv4Bits } from './cidr-match.ts'

interface Length<T> {
  readonly length: number
  readonly buckets: Map<string | number, Set<T>>
}

/** Values by network: an address finds those around it at one look-up for each prefix length in use. */
export class NetworkTable<T> {
  readonly #ipv4: Length<T>[] = []
  readonly #ipv6: Length<T>[] = []

  get isEmpty(): boolean {
    return this.#ipv4.length === 0 && this.#ipv6.length === 0
  }

  /** How many share the network. */
  sharing({ ip, length }: Cidr): number {
    const held = this.#lengthsOf(ip).find((one) => one.length === length)
    return held?.buckets.get(keyOf(ip, length))?.size ?? 0
  }

  add({ ip, length }: Cidr, value: T): void {
    const lengths = this.#lengthsOf(ip)
    let held = lengths.find((one) => one.length === length)
    if (held === undefined) {
      held = { length, buckets: new Map() }
      lengths.push(held)
    }
    const key = keyOf(ip, length)
    const bucket = held.buckets.get(key)
    if (bucket === undefined) held.buckets.set(key, new Set([value]))
    else bucket.add(value)
  }

  remove({ ip, length }: Cidr, value: T): void {
    const lengths = this.#lengthsOf(ip)
    const at = lengths.findIndex((one) => one.length === length)
    const buckets = lengths[at]?.buckets
    const key = keyOf(ip, length)
    const bucket = buckets?.get(key)
    bucket?.delete(value)
    if (bucket?.size === 0) buckets?.delete(key)
    if (buckets?.size === 0) lengths.splice(at, 1)
  }

  /** Adds the values of all networks around the address; those of one network in the order they came. */
  collect(ip: Ip, into: T[]): void {
    const lengths = this.#lengthsOf(ip)
    if (lengths.length === 0) return
    if (ipFamily(ip) === 4) {
      const bits = ipv4Bits(ip)
      for (const { length, buckets } of lengths) push(buckets.get(prefixOfBits(bits, length)), into)
      return
    }
    const bytes = ipToBytes(ip)
    for (const { length, buckets } of lengths) push(buckets.get(prefixOfBytes(bytes, length)), into)
  }

  #lengthsOf(ip: Ip): Length<T>[] {
    return ipFamily(ip) === 4 ? this.#ipv4 : this.#ipv6
  }
}

function push<T>(bucket: ReadonlySet<T> | undefined, into: T[]): void {
  if (bucket !== undefined) for (const value of bucket) into.push(value)
}

function keyOf(ip: Ip, length: number): string | number {
  return ipFamily(ip) === 4 ? prefixOfBits(ipv4Bits(ip), length) : prefixOfBytes(ipToBytes(ip), length)
}

function prefixOfBits(bits: number, length: number): number {
  return length === 0 ? 0 : bits >>> (32 - length)
}

function prefixOfBytes(bytes: Uint8Array, length: number): string {
  const whole = length >> 3
  const rest = length & 7
  const head = String.fromCharCode(...bytes.subarray(0, whole))
  return rest === 0 ? head : head + String.fromCharCode((bytes[whole] ?? 0) >> (8 - rest))
}
