import { type Ip, ipFromBytes, type SocketAddress } from '@ambit/core'

/** What a line about one TCP segment shows. */
export interface TcpPacket {
  readonly source: SocketAddress
  readonly destination: SocketAddress
  /** As tcpdump writes them: S SYN, F FIN, R RST, P PSH, `.` ACK. */
  readonly flags: string
  readonly payload: Uint8Array
}

const TCP = 6
const IPV4_HEADER = 20
const IPV6_HEADER = 40
const TCP_HEADER = 20
const FLAGS = [
  [0x02, 'S'],
  [0x01, 'F'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x10, '.'],
] as const

/** Reads an IP packet without link-layer header; undefined for what is not TCP, or cut before its payload. */
export function parseTcpPacket(packet: Uint8Array): TcpPacket | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  if (packet.length < IPV4_HEADER) return undefined
  const version = view.getUint8(0) >> 4
  if (version === 4) {
    const length = (view.getUint8(0) & 0x0f) * 4
    // Later fragments carry no TCP header.
    if (length < IPV4_HEADER || view.getUint8(9) !== TCP || (view.getUint16(6) & 0x1fff) !== 0) return undefined
    return segment(packet.subarray(length, view.getUint16(2)), packet.subarray(12, 16), packet.subarray(16, 20))
  }
  if (version === 6 && packet.length >= IPV6_HEADER && view.getUint8(6) === TCP) {
    const end = IPV6_HEADER + view.getUint16(4)
    return segment(packet.subarray(IPV6_HEADER, end), packet.subarray(8, 24), packet.subarray(24, 40))
  }
  return undefined
}

function segment(tcp: Uint8Array, from: Uint8Array, to: Uint8Array): TcpPacket | undefined {
  const source = ipFromBytes(from)
  const destination = ipFromBytes(to)
  if (tcp.length < TCP_HEADER || source === undefined || destination === undefined) return undefined
  const view = new DataView(tcp.buffer, tcp.byteOffset, tcp.byteLength)
  const offset = (view.getUint8(12) >> 4) * 4
  if (offset < TCP_HEADER || offset > tcp.length) return undefined
  const bits = view.getUint8(13)
  return {
    source: { ip: source, port: view.getUint16(0) },
    destination: { ip: destination, port: view.getUint16(2) },
    flags: FLAGS.map(([bit, letter]) => ((bits & bit) === 0 ? '' : letter)).join(''),
    payload: tcp.subarray(offset),
  }
}

/** Whether the segment comes from or goes to the host. */
export function concerns(packet: TcpPacket, host: Ip): boolean {
  return packet.source.ip === host || packet.destination.ip === host
}

/** One line in tcpdump's style, the payload's printable characters below it. */
export function describePacket(packet: TcpPacket): string {
  const { source, destination, flags, payload } = packet
  const head = `IP ${source.ip}.${source.port} > ${destination.ip}.${destination.port}: Flags [${flags}], length ${payload.length}`
  if (payload.length === 0) return head
  return `${head}\n${Buffer.from(payload)
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e\n]/g, '.')}`
}
