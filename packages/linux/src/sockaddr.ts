import { type Ip, ipFamily, ipFromBytes, ipToBytes, type SocketAddress } from '@ambit/core'
import { AF_INET, AF_INET6, AF_UNIX } from './libc/constants.ts'

/** sizeof(struct sockaddr_in6), the larger of the two. */
export const SOCKADDR_IN6_LENGTH = 28
export const SOCKADDR_IN_LENGTH = 16
/** Longest path of a unix socket: sun_path is 108 bytes with its terminator. */
export const MAX_UNIX_PATH = 107

/** struct sockaddr_in or sockaddr_in6; host byte order is little endian on every supported machine. */
export function encodeSockaddr(ip: Ip, port: number): Buffer {
  const v6 = ipFamily(ip) === 6
  const bytes = Buffer.alloc(v6 ? SOCKADDR_IN6_LENGTH : SOCKADDR_IN_LENGTH)
  bytes.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(ipToBytes(ip), v6 ? 8 : 4)
  return bytes
}

/** Reads what the kernel wrote; undefined for other families. */
export function decodeSockaddr(bytes: Uint8Array): SocketAddress | undefined {
  if (bytes.length < SOCKADDR_IN_LENGTH) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const family = view.getUint16(0, true)
  const port = view.getUint16(2, false)
  const ip =
    family === AF_INET
      ? ipFromBytes(bytes.subarray(4, 8))
      : family === AF_INET6
        ? ipFromBytes(bytes.subarray(8, 24))
        : undefined
  return ip === undefined ? undefined : { ip, port }
}

/** struct sockaddr_un of a path; RangeError when it does not fit. */
export function encodeUnixAddress(path: string): Buffer {
  const length = Buffer.byteLength(path)
  if (length === 0 || length > MAX_UNIX_PATH) {
    throw new RangeError(`unix socket path must have 1 to ${MAX_UNIX_PATH} bytes: ${path}`)
  }
  const bytes = Buffer.alloc(2 + length + 1)
  bytes.writeUInt16LE(AF_UNIX, 0)
  bytes.write(path, 2)
  return bytes
}
