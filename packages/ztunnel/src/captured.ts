import type { Socket } from 'node:net'
import type { SocketAddress, SocketFactory } from '@ambit/core'
import { isLoopback, isProxyPort, parseIp } from '@ambit/core'

/** Both ends of a captured connection, in canonical form. */
export interface Captured {
  readonly source: SocketAddress
  readonly target: SocketAddress
}

/** Undefined when the client has already gone. */
export function capturedEnds(socket: Socket, sockets: SocketFactory): Captured | undefined {
  const source = endpoint(socket.remoteAddress, socket.remotePort)
  const target = sockets.originalDestination(socket)
  return source === undefined || target === undefined ? undefined : { source, target }
}

/** Outbound: our own ports on loopback, or a connection that was never redirected and would call itself for ever. */
export function isOutboundLoop(target: SocketAddress, local: SocketAddress | undefined): boolean {
  if (isLoopback(target.ip) && isProxyPort(target.port)) return true
  return local !== undefined && local.ip === target.ip && local.port === target.port
}

/** Canonical address of one end of a socket; Node reports IPv4 on dual-stack listeners as `::ffff:`. */
export function endpoint(address: string | undefined, port: number | undefined): SocketAddress | undefined {
  const ip = parseIp((address ?? '').replace(/%.*$/, ''))
  return ip === undefined || port === undefined ? undefined : { ip, port }
}
