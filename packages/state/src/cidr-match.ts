import { type Cidr, cidrContains, type Ip, ipFamily } from '@ambit/core'
import type { CidrMatch } from './authorization.types.ts'

/** Prepares a network for the connection path: an IPv4 test allocates nothing. */
export function compileCidr(cidr: Cidr): CidrMatch {
  if (cidr.length === 0) {
    const family = ipFamily(cidr.ip)
    return { cidr, contains: (ip) => ipFamily(ip) === family }
  }
  if (ipFamily(cidr.ip) === 6) return { cidr, contains: (ip) => cidrContains(cidr, ip) }
  const shift = 32 - cidr.length
  const want = ipv4Bits(cidr.ip) >>> shift
  return { cidr, contains: (ip) => ipFamily(ip) === 4 && ipv4Bits(ip) >>> shift === want }
}

/** The 32 bits of a dotted quad, read without splitting it. */
export function ipv4Bits(ip: Ip): number {
  let bits = 0
  let octet = 0
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i)
    if (code === 0x2e) {
      bits = (bits << 8) | octet
      octet = 0
    } else {
      octet = octet * 10 + code - 0x30
    }
  }
  return ((bits << 8) | octet) >>> 0
}
