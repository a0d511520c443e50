import { closeSync } from 'node:fs'
import { type Ip, ipFamily, type SocketAddress } from '@ambit/core'
import {
  AF_INET,
  AF_INET6,
  EADDRINUSE,
  IP_FREEBIND,
  IP_TRANSPARENT,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_FREEBIND,
  IPV6_TRANSPARENT,
  IPV6_V6ONLY,
  SO_MARK,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from './libc/constants.ts'
import { libc } from './libc/load.ts'
import { SPOOFED_PORT_ATTEMPTS } from './limits.ts'
import type { Netns } from './netns.ts'
import { encodeSockaddr } from './sockaddr.ts'
import { setIntOption, setKeepAlive, setNoDelay, trySetIntOption } from './socket-options.ts'
import { check, SystemCallError } from './system-call-error.ts'

/**
 * A socket belongs for ever to the namespace it was created in, so only socket(2) has to run inside. Without a namespace
 * it is this process' own, which needs no privilege to enter.
 */
function socketIn(netns: Netns | undefined, ip: Ip, type: number, mark: number | undefined): number {
  const domain = ipFamily(ip) === 6 ? AF_INET6 : AF_INET
  const create = (): number =>
    check(libc().socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), 'socket', `for ${ip}`)
  const fd = netns === undefined ? create() : netns.run(create)
  // Before anything can be sent: an unmarked packet would be captured by the rules meant for applications.
  closingOnError(fd, () => {
    if (mark !== undefined) setIntOption(fd, SOL_SOCKET, SO_MARK, mark)
  })
  return fd
}

function closingOnError(fd: number, configure: () => void): number {
  try {
    configure()
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function bindTo(fd: number, { ip, port }: SocketAddress): void {
  const address = encodeSockaddr(ip, port)
  check(libc().bind(fd, address, address.length), 'bind', `to ${ip} port ${port}`)
}

/** Lets the socket use addresses that the namespace does not own. */
function makeTransparent(fd: number, ip: Ip): boolean {
  return ipFamily(ip) === 6
    ? trySetIntOption(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) && trySetIntOption(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
    : trySetIntOption(fd, IPPROTO_IP, IP_TRANSPARENT, 1) && trySetIntOption(fd, IPPROTO_IP, IP_FREEBIND, 1)
}

export interface ListenerFdOptions {
  readonly mark?: number | undefined
  readonly reusePort?: boolean | undefined
  readonly transparent?: boolean | undefined
  readonly keepAlive?: boolean | undefined
}

/** A bound TCP socket for `server.listen({ fd })`, which calls listen(2) itself. */
export function listenerFd(netns: Netns | undefined, at: SocketAddress, options: ListenerFdOptions): number {
  const fd = socketIn(netns, at.ip, SOCK_STREAM, options.mark)
  return closingOnError(fd, () => {
    setIntOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (options.reusePort === true) setIntOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)
    if (ipFamily(at.ip) === 6) setIntOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, at.ip === '::' ? 0 : 1)
    if (options.transparent === true) {
      makeTransparent(fd, at.ip)
      if (at.ip === '::') trySetIntOption(fd, IPPROTO_IP, IP_TRANSPARENT, 1)
    }
    setNoDelay(fd)
    if (options.keepAlive === true) setKeepAlive(fd)
    bindTo(fd, at)
  })
}

/** A bound UDP socket for `socket.bind({ fd })`. */
export function udpFd(netns: Netns | undefined, at: SocketAddress, mark: number | undefined): number {
  const fd = socketIn(netns, at.ip, SOCK_DGRAM, mark)
  return closingOnError(fd, () => {
    // On a well-known port an old and a new process must be able to serve together during an upgrade.
    if (at.port !== 0) setIntOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)
    if (ipFamily(at.ip) === 6) setIntOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, at.ip === '::' ? 0 : 1)
    bindTo(fd, at)
  })
}

export interface ClientFdOptions {
  readonly mark?: number | undefined
  /** Address to appear with, and where its ports come from. */
  readonly from?: { readonly ip: Ip; readonly nextPort: () => number } | undefined
}

/** An unconnected TCP socket for `new net.Socket({ fd }).connect(...)`. */
export function clientFd(netns: Netns | undefined, to: Ip, options: ClientFdOptions): number {
  const fd = socketIn(netns, to, SOCK_STREAM, options.mark)
  return closingOnError(fd, () => {
    setNoDelay(fd)
    setKeepAlive(fd)
    if (options.from !== undefined) bindToForeign(fd, options.from.ip, options.from.nextPort)
  })
}

function bindToForeign(fd: number, ip: Ip, nextPort: () => number): void {
  makeTransparent(fd, ip)
  setIntOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
  const address = encodeSockaddr(ip, 0)
  for (let attempt = 1; ; attempt++) {
    address.writeUInt16BE(nextPort(), 2)
    if (libc().bind(fd, address, address.length) === 0) return
    const errno = libc().errno()
    if (errno !== EADDRINUSE || attempt === SPOOFED_PORT_ATTEMPTS) {
      throw new SystemCallError('bind', errno, `to foreign source ${ip}`)
    }
  }
}
