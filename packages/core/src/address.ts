import { isIPv4, isIPv6 } from 'node:net'

/**
 * An IP address in its one canonical spelling: dotted quad, or RFC 5952 lower-case IPv6.
 * IPv4-mapped IPv6 (`::ffff:a.b.c.d`) never occurs: it is the IPv4 address. Equal addresses are equal strings,
 * so an Ip is a Map key.
 */
export type Ip = string & { readonly __ip: unique symbol }

export interface SocketAddress {
  readonly ip: Ip
  readonly port: number
}

/** A network: the addresses whose first `length` bits are those of `ip`. */
export interface Cidr {
  readonly ip: Ip
  readonly length: number
}

export const MAX_PORT = 65535

/** Canonical form of a textual address (no brackets, no zone), or undefined when it is none. */
export function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return text as Ip
  if (!isIPv6(text) || text.includes('%')) return undefined
  return ipFromBytes(bytesOfIpv6(text))
}

/** As {@link parseIp}, for text this program wrote itself; throws TypeError on anything else. */
export function ip(text: string): Ip {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new TypeError(`not an IP address: ${JSON.stringify(text)}`)
  return parsed
}

/** 4 or 16 network-order bytes to an address; undefined for any other length. */
export function ipFromBytes(bytes: Uint8Array): Ip | undefined {
  if (bytes.length === 4) return bytes.join('.') as Ip
  if (bytes.length !== 16) return undefined
  if (isIpv4Mapped(bytes)) return bytes.subarray(12).join('.') as Ip
  return formatIpv6(bytes) as Ip
}

export function ipToBytes(address: Ip): Uint8Array {
  return ipFamily(address) === 4 ? Uint8Array.from(address.split('.'), Number) : bytesOfIpv6(address)
}

export function ipFamily(address: Ip): 4 | 6 {
  return address.includes(':') ? 6 : 4
}

export function isLoopback(address: Ip): boolean {
  return address === '::1' || (address.startsWith('127.') && ipFamily(address) === 4)
}

/** `1.2.3.4:80`, `[::1]:80`. */
export function formatSocketAddress(address: SocketAddress): string {
  return ipFamily(address.ip) === 6 ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`
}

/** Reads `1.2.3.4:80` or `[::1]:80`; a bare IPv6 address with a port is ambiguous and refused. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const colon = text.lastIndexOf(':')
  if (colon < 0) return undefined
  const port = parsePort(text.slice(colon + 1))
  const host = text.slice(0, colon)
  const bracketed = host.startsWith('[') && host.endsWith(']')
  const address = parseIp(bracketed ? host.slice(1, -1) : host)
  if (port === undefined || address === undefined) return undefined
  if (bracketed ? !host.includes(':') : host.includes(':')) return undefined
  return { ip: address, port }
}

/** Decimal port 0..65535 without sign, space or leading zeros. */
export function parsePort(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text)) return undefined
  const port = Number(text)
  return port <= MAX_PORT ? port : undefined
}

/** Reads `10.0.0.0/8`, or a bare address as a full-length network. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const address = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  const max = ipFamily(address) === 4 ? 32 : 128
  if (slash < 0) return { ip: address, length: max }
  const length = parsePort(text.slice(slash + 1))
  return length === undefined || length > max ? undefined : { ip: address, length }
}

/** Whether the network holds the address; families never mix. */
export function cidrContains(network: Cidr, address: Ip): boolean {
  if (ipFamily(network.ip) !== ipFamily(address)) return false
  const want = ipToBytes(network.ip)
  const have = ipToBytes(address)
  const whole = network.length >> 3
  for (let i = 0; i < whole; i++) if (want[i] !== have[i]) return false
  const rest = network.length & 7
  if (rest === 0) return true
  const mask = (0xff << (8 - rest)) & 0xff
  return ((want[whole] ?? 0) & mask) === ((have[whole] ?? 0) & mask)
}

function isIpv4Mapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}

/** Bytes of a text that `isIPv6` accepted. */
function bytesOfIpv6(text: string): Uint8Array {
  const bytes = new Uint8Array(16)
  const [head = '', tail] = text.split('::')
  const front = groupBytes(head)
  bytes.set(front, 0)
  if (tail !== undefined) {
    const back = groupBytes(tail)
    bytes.set(back, 16 - back.length)
  }
  return bytes
}

function groupBytes(part: string): number[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (first on a tie) as `::`. */
function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0))
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.start < 0) return hex.join(':')
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`
}
