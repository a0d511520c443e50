import { type Cidr, cidrContains, type Ip, ipFamily, ipFromBytes, ipToBytes } from '@ambit/core'
import type { Candidate, Candidates } from './candidate.types.ts'

/** Of documentation and of no network (RFC 5737, RFC 3849): they stand for addresses that no policy names. */
const OTHERS = ['198.51.100.1', '203.0.113.1', '192.0.2.1', '2001:db8::1'] as readonly string[] as readonly Ip[]

/** An address of every part that the networks cut the addresses into: parts begin where a network does, or behind its end. */
export function networkCandidates(networks: readonly Cidr[]): Candidates {
  const list: Candidate[] = []
  const add = (address: Ip | undefined): void => {
    if (address === undefined) return
    const inside = networks.filter((network) => cidrContains(network, address))
    if (inside.length === 0) {
      list.push({ value: address, label: address, kind: 'other' })
      return
    }
    // The networks around an address are one inside the other.
    const nearest = inside.reduce((least, network) => (network.length > least.length ? network : least))
    list.push({ value: address, label: labelOf(nearest), kind: 'named' })
  }
  for (const other of OTHERS) add(other)
  for (const network of networks) {
    const first = maskOf(network)
    add(first)
    add(behind(network))
  }
  return { list, partial: false }
}

export function labelOf(network: Cidr): string {
  const whole = ipFamily(network.ip) === 4 ? 32 : 128
  return network.length === whole ? network.ip : `${maskOf(network)}/${network.length}`
}

function maskOf({ ip, length }: Cidr): Ip {
  const bytes = ipToBytes(ip)
  for (let bit = length; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7))
  }
  return ipFromBytes(bytes) ?? ip
}

/** The first address behind the network; undefined behind the last one there is. */
function behind({ ip, length }: Cidr): Ip | undefined {
  const bytes = ipToBytes(ip)
  for (let bit = length; bit < bytes.length * 8; bit++) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  for (let i = bytes.length - 1; i >= 0; i--) {
    const next = ((bytes[i] ?? 0) + 1) & 0xff
    bytes[i] = next
    if (next !== 0) return ipFromBytes(bytes)
  }
  return undefined
}
