import { randomInt } from 'node:crypto'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { arrayOf, at } from '../json.ts'
import type { ServiceAllocator } from '../resources/kind-rules.types.ts'
import { invalid } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { invalidValue } from '../validation/causes.ts'
import type { Family } from './service-families.ts'

/** Kubernetes' default range of node ports. */
const NODE_PORTS = { first: 30_000, last: 32_767 }
/** Addresses of a range that are given out at most, IPv6 ranges being endless. */
const MAX_ADDRESSES = 65_534

export interface ServiceRanges {
  /** IPv4 CIDR, e.g. 10.96.0.0/16. */
  readonly ipv4: string
  readonly ipv6?: string | undefined
}

/** Free addresses and ports, found by looking at the services there are. */
export class StoreServiceAllocator implements ServiceAllocator {
  readonly #store: ObjectStore
  readonly #ranges: ServiceRanges
  #next = 11

  constructor(store: ObjectStore, ranges: ServiceRanges) {
    this.#store = store
    this.#ranges = ranges
  }

  get hasIpv6(): boolean {
    return this.#ranges.ipv6 !== undefined
  }

  clusterIp(family: Family, wanted: string | undefined, service: string): string {
    const used = new Set(this.#services().flatMap((one) => arrayOf(at(one, 'spec', 'clusterIPs'))))
    const range = family === 'IPv4' ? this.#ranges.ipv4 : this.#ranges.ipv6
    const refuse = (detail: string): never => {
      throw invalid('', 'Service', service, [invalidValue('spec.clusterIPs', [wanted ?? ''], detail)])
    }
    if (range === undefined) return refuse(`the sandbox has no service addresses of ${family}`)
    if (wanted !== undefined) {
      if (family === 'IPv4' ? !isIPv4(wanted) : !isIPv6(wanted)) refuse(`expected an ${family} value`)
      if (used.has(wanted)) refuse(`failed to allocate IP ${wanted}: provided IP is already allocated`)
      if (!inRange(wanted, range))
        refuse(
          `failed to allocate IP ${wanted}: the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${range}`,
        )
      return wanted
    }
    const size = sizeOf(range)
    // The first ten are left to whoever asks for them by name, e.g. cluster DNS.
    for (let tries = 0; tries < size; tries++) {
      const candidate = addressAt(range, this.#next)
      this.#next = this.#next >= size ? 11 : this.#next + 1
      if (!used.has(candidate)) return candidate
    }
    return refuse(`the range ${range} of service addresses is full`)
  }

  nodePort(wanted: number | undefined, service: string, own: ReadonlySet<number>): number {
    const used = new Set<unknown>(own)
    for (const one of this.#services()) {
      used.add(at(one, 'spec', 'healthCheckNodePort'))
      for (const port of arrayOf(at(one, 'spec', 'ports'))) used.add(at(port, 'nodePort'))
    }
    const refuse = (detail: string): never => {
      throw invalid('', 'Service', service, [invalidValue('spec.ports[0].nodePort', wanted ?? 0, detail)])
    }
    const { first, last } = NODE_PORTS
    if (wanted !== undefined) {
      if (wanted < first || wanted > last)
        refuse(`provided port is not in the valid range. The range of valid ports is ${first}-${last}`)
      if (used.has(wanted)) refuse('provided port is already allocated')
      return wanted
    }
    // From somewhere: several sandboxes share the machine's loopback, where node ports are to be had too.
    const count = last - first + 1
    const start = randomInt(count)
    for (let tries = 0; tries < count; tries++) {
      const port = first + ((start + tries) % count)
      if (!used.has(port)) return port
    }
    return refuse('all node ports are allocated')
  }

  #services() {
    return this.#store.list('/services')
  }
}

function toNumber(ip: string): number {
  return ip.split('.').reduce((value, part) => value * 256 + Number(part), 0)
}

function sizeOf(cidr: string): number {
  const [ip = '', bits = '0'] = cidr.split('/')
  const host = (ip.includes(':') ? 128 : 32) - Number(bits)
  return Math.min(host >= 31 ? MAX_ADDRESSES : 2 ** host - 2, MAX_ADDRESSES)
}

function inRange(ip: string, cidr: string): boolean {
  const [base = '', bits = '0'] = cidr.split('/')
  const list = new BlockList()
  list.addSubnet(base, Number(bits), base.includes(':') ? 'ipv6' : 'ipv4')
  return list.check(ip, ip.includes(':') ? 'ipv6' : 'ipv4')
}

function addressAt(cidr: string, offset: number): string {
  const [base = ''] = cidr.split('/')
  if (base.includes(':')) return `${base.replace(/::$/, '')}::${offset.toString(16)}`
  const value = toNumber(base) + offset
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
