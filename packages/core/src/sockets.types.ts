import type { Socket as UdpSocket } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import type { Ip, SocketAddress } from './address.ts'

export interface ListenOptions {
  /** `::` listens for both families where the namespace has IPv6. */
  readonly ip: Ip
  readonly port: number
  readonly backlog?: number
  readonly reusePort?: boolean
  /** Best effort IP_TRANSPARENT on the listener. */
  readonly transparent?: boolean
  /** True only towards applications: on a TLS carrier it would hide the peer's death. */
  readonly allowHalfOpen?: boolean
  /** Called for every accepted connection. */
  readonly onConnection: (socket: Socket) => void
}

export interface DialOptions {
  readonly to: SocketAddress
  /** Source address to appear with; may be foreign to the host (transparent bind). */
  readonly from?: Ip | undefined
  readonly allowHalfOpen?: boolean
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Where sockets come from. Which network namespace, which packet mark and whether foreign source addresses
 * are possible is the factory's business, so proxies can be tested on loopback with the plain one.
 */
export interface SocketFactory {
  listen(options: ListenOptions): Promise<Server>
  /** Resolves with a connected socket; rejects with a system error whose `code` says why, ETIMEDOUT on timeout. */
  dial(options: DialOptions): Promise<Socket>
  bindUdp(address: SocketAddress): Promise<UdpSocket>
  /** Where the connection was going before it was redirected; the socket's local address when it was not. */
  originalDestination(socket: Socket): SocketAddress | undefined
  /**
   * What is new at a shared port goes to whoever came to it after this socket, if anybody did; what it was given before
   * still comes to it. False where the port is not shared.
   */
  preferNewer(listener: Server | UdpSocket): boolean
}
