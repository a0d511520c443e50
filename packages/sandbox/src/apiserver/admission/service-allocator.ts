import { isIPv4, isIPv6 } from 'node:net'
import { arrayOf, at } from '../json.ts'
import type { ServiceAllocator } from '../resources/kind-rules.types.ts'
import { StatusError } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'

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

  clusterIp(family: 'IPv4' | 'IPv6', wanted: string | undefined): string {
    const used = new Set(this.#services().flatMap((service) => arrayOf(at(service, 'spec', 'clusterIPs'))))
    const range = family === 'IPv4' ? this.#ranges.ipv4 : this.#ranges.ipv6
    if (range === undefined) throw refused(`the sandbox has no service addresses of ${family}`)
    if (wanted !== undefined) {
      if (family === 'IPv4' ? !isIPv4(wanted) : !isIPv6(wanted)) throw refused(`${wanted} is no ${family} address`)
      if (used.has(wanted)) throw refused(`failed to allocate IP ${wanted}: provided IP is already allocated`)
      if (family === 'IPv4' && !inIpv4Range(wanted, range))
        throw refused(
          `failed to allocate IP ${wanted}: the provided IP is not in the valid range. The range of valid IPs is ${range}`,
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
    throw refused(`the range ${range} of service addresses is full`)
  }

  nodePort(wanted: number | undefined): number {
    const ports = this.#services().flatMap((service) => arrayOf(at(service, 'spec', 'ports')))
    const used = new Set(ports.map((port) => at(port, 'nodePort')))
    if (wanted !== undefined) {
      if (wanted < NODE_PORTS.first || wanted > NODE_PORTS.last)
        throw refused(
          `node port ${wanted} is not in the valid range. The range of valid ports is ${NODE_PORTS.first}-${NODE_PORTS.last}`,
        )
      if (used.has(wanted)) throw refused(`node port ${wanted}: provided port is already allocated`)
      return wanted
    }
    for (let port = NODE_PORTS.first; port <= NODE_PORTS.last; port++) if (!used.has(port)) return port
    throw refused('all node ports are allocated')
  }

  #services() {
    return this.#store.list('/services')
  }
}

function refused(message: string): StatusError {
  return new StatusError(422, 'Invalid', `Service is invalid: spec.clusterIPs: ${message}`)
}

function toNumber(ip: string): number {
  return ip.split('.').reduce((value, part) => value * 256 + Number(part), 0)
}

function sizeOf(cidr: string): number {
  const [ip = '', bits = '0'] = cidr.split('/')
  const host = (ip.includes(':') ? 128 : 32) - Number(bits)
  return Math.min(host >= 31 ? MAX_ADDRESSES : 2 ** host - 2, MAX_ADDRESSES)
}

function inIpv4Range(ip: string, cidr: string): boolean {
  const [base = '', bits = '0'] = cidr.split('/')
  const size = 2 ** (32 - Number(bits))
  return Math.floor(toNumber(ip) / size) === Math.floor(toNumber(base) / size)
}

function addressAt(cidr: string, offset: number): string {
  const [base = ''] = cidr.split('/')
  if (base.includes(':')) return `${base.replace(/::$/, '')}::${offset.toString(16)}`
  const value = toNumber(base) + offset
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
