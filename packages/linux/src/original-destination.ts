import type { Server, Socket } from 'node:net'
import { parseIp, type SocketAddress } from '@ambit/core'
import { IP6T_SO_ORIGINAL_DST, IPPROTO_IP, IPPROTO_IPV6, SO_ORIGINAL_DST } from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { decodeSockaddr, SOCKADDR_IN_LENGTH, SOCKADDR_IN6_LENGTH } from './sockaddr.ts'

const address = Buffer.alloc(SOCKADDR_IN6_LENGTH)
const length = Buffer.alloc(4)

/** What netfilter remembers of a redirected connection, IPv4 first: a dual-stack listener gets both families. */
export function originalDestinationOf(fd: number): SocketAddress | undefined {
  length.writeUInt32LE(SOCKADDR_IN_LENGTH)
  if (libc().getsockopt(fd, IPPROTO_IP, SO_ORIGINAL_DST, address, length) === 0) return decodeSockaddr(address)
  length.writeUInt32LE(SOCKADDR_IN6_LENGTH)
  if (libc().getsockopt(fd, IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, address, length) === 0) return decodeSockaddr(address)
  return undefined
}

/** Descriptor of an open socket. The one thing here that Node does not document; unchanged from Node 22 to 26. */
export function descriptorOf(socket: Socket | Server): number | undefined {
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}

/** Where the connection was going before it was redirected, else its local address; undefined once it is closed. */
export function originalDestination(socket: Socket): SocketAddress | undefined {
  const fd = descriptorOf(socket)
  const redirected = fd === undefined ? undefined : originalDestinationOf(fd)
  if (redirected !== undefined) return redirected
  const { localAddress, localPort } = socket
  const ip = localAddress === undefined ? undefined : parseIp(localAddress)
  return ip === undefined || localPort === undefined ? undefined : { ip, port: localPort }
}
