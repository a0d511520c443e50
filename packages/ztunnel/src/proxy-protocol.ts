import type { SocketAddress, SpiffeId } from '@ambit/core'
import { formatSpiffeId, ipFamily, ipToBytes } from '@ambit/core'

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const VERSION_2_PROXY = 0x21
const STREAM_V4 = 0x11
const STREAM_V6 = 0x21
const UNSPEC = 0x00

/** Type of the value that carries the peer's identity (Istio). */
const TLV_IDENTITY = 0xd0

export interface ProxyHeader {
  readonly source: SocketAddress
  readonly destination: SocketAddress | undefined
  readonly identity: SpiffeId | undefined
}

/** PROXY protocol version 2, as a sandwiched waypoint expects before the payload. */
export function encodeProxyHeader({ source, destination, identity }: ProxyHeader): Buffer {
  const sameFamily = destination !== undefined && ipFamily(source.ip) === ipFamily(destination.ip)
  const family = sameFamily ? (ipFamily(source.ip) === 4 ? STREAM_V4 : STREAM_V6) : UNSPEC
  const addresses = sameFamily
    ? Buffer.concat([ipToBytes(source.ip), ipToBytes(destination.ip), u16(source.port), u16(destination.port)])
    : Buffer.alloc(0)
  const uri = identity === undefined ? undefined : Buffer.from(formatSpiffeId(identity))
  const tlv = uri === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.from([TLV_IDENTITY]), u16(uri.length), uri])
  return Buffer.concat([
    SIGNATURE,
    Buffer.from([VERSION_2_PROXY, family]),
    u16(addresses.length + tlv.length),
    addresses,
    tlv,
  ])
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
