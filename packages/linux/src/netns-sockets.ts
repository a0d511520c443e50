import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, Server, Socket } from 'node:net'
import {
  codeOf,
  type DialOptions,
  type Ip,
  ip,
  ipFamily,
  type ListenOptions,
  type SocketAddress,
  type SocketFactory,
} from '@ambit/core'
import { connected } from './dial.ts'
import { LISTEN_BACKLOG, SPOOFED_PORT_ATTEMPTS } from './limits.ts'
import type { Netns } from './netns.ts'
import { clientFd, listenerFd, udpFd } from './netns-fd.ts'
import { descriptorOf, originalDestination } from './original-destination.ts'
import { preferNewer } from './prefer-newer.ts'
import { spoofedPorts } from './spoofed-ports.ts'

export interface NetnsSocketsOptions {
  /** Packet mark of every socket, set before it can send anything. */
  readonly mark?: number | undefined
  /**
   * A foreign source address could not be taken, and the connection goes out with the namespace's own (Istio does the
   * same). Reported here because the application then sees the wrong client.
   */
  readonly onSourceRefused?: ((error: unknown, options: DialOptions) => void) | undefined
}

/** Sockets that live in the namespace although this process does not. The namespace handle stays the caller's. */
export function netnsSockets(netns: Netns, options: NetnsSocketsOptions = {}): SocketFactory {
  return new NetnsSockets(netns, options)
}

/** Sockets of this process' own namespace, marked; takes CAP_NET_ADMIN there. */
export function markedSockets(options: NetnsSocketsOptions & { readonly mark: number }): SocketFactory {
  return new NetnsSockets(undefined, options)
}

class NetnsSockets implements SocketFactory {
  readonly #netns: Netns | undefined
  readonly #options: NetnsSocketsOptions
  readonly #nextSpoofedPort = spoofedPorts()
  /** Descriptors of open sockets, which Node does not tell. */
  readonly #datagrams = new WeakMap<UdpSocket, number>()

  constructor(netns: Netns | undefined, options: NetnsSocketsOptions) {
    this.#netns = netns
    this.#options = options
  }

  async listen(options: ListenOptions): Promise<Server> {
    const fd = this.#listenerFd(options)
    const server = createServer({ allowHalfOpen: options.allowHalfOpen ?? false }, options.onConnection)
    return await new Promise((resolve, reject) => {
      const onError = (error: Error): void => {
        server.off('listening', onListening)
        // The descriptor went into a handle of Node's, which closed it.
        reject(error)
      }
      const onListening = (): void => {
        server.off('error', onError)
        // A failed accept (out of descriptors) is an event of the server and must not end the process.
        server.on('error', () => undefined)
        resolve(server)
      }
      server.once('error', onError)
      server.once('listening', onListening)
      // The backlog goes into the second argument: next to `fd` it would be ignored.
      server.listen({ fd }, options.backlog ?? LISTEN_BACKLOG)
    })
  }

  async dial(options: DialOptions): Promise<Socket> {
    for (let attempt = 1; ; attempt++) {
      options.signal?.throwIfAborted()
      try {
        return await this.#dialOnce(options)
      } catch (error) {
        // Another connection of the same foreign port to the same place: the next port is free.
        const clash = options.from !== undefined && codeOf(error) === 'EADDRNOTAVAIL'
        if (!clash || attempt === SPOOFED_PORT_ATTEMPTS) throw error
      }
    }
  }

  async bindUdp(address: SocketAddress): Promise<UdpSocket> {
    const fd = udpFd(this.#netns, address, this.#options.mark)
    const socket = createSocket({ type: ipFamily(address.ip) === 6 ? 'udp6' : 'udp4' })
    this.#datagrams.set(socket, fd)
    socket.once('close', () => this.#datagrams.delete(socket))
    return await new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.once('listening', () => {
        socket.off('error', reject)
        resolve(socket)
      })
      socket.bind({ fd })
    })
  }

  originalDestination(socket: Socket): SocketAddress | undefined {
    return originalDestination(socket)
  }

  preferNewer(listener: Server | UdpSocket): boolean {
    const fd = listener instanceof Server ? descriptorOf(listener) : this.#datagrams.get(listener)
    return fd !== undefined && preferNewer(fd)
  }

  #listenerFd(options: ListenOptions): number {
    const fdOptions = {
      mark: this.#options.mark,
      reusePort: options.reusePort,
      transparent: options.transparent,
      // Half-open listeners face applications; tunnels have pings of their own.
      keepAlive: options.allowHalfOpen,
    }
    try {
      return listenerFd(this.#netns, { ip: options.ip, port: options.port }, fdOptions)
    } catch (error) {
      const noIpv6 = options.ip === '::' && codeOf(error) === 'EAFNOSUPPORT'
      if (!noIpv6) throw error
      return listenerFd(this.#netns, { ip: ip('0.0.0.0'), port: options.port }, fdOptions)
    }
  }

  #dialOnce(options: DialOptions): Promise<Socket> {
    const fd = this.#clientFd(options)
    // connect() in the tick of the constructor: a later one finds the socket destroyed by its first read.
    const socket = new Socket({ fd, allowHalfOpen: options.allowHalfOpen ?? false })
    return connected(socket.connect({ host: options.to.ip, port: options.to.port }), options)
  }

  #clientFd(options: DialOptions): number {
    const mark = this.#options.mark
    const from = foreignSource(options)
    if (from === undefined) return clientFd(this.#netns, options.to.ip, { mark })
    try {
      return clientFd(this.#netns, options.to.ip, { mark, from: { ip: from, nextPort: this.#nextSpoofedPort } })
    } catch (error) {
      this.#options.onSourceRefused?.(error, options)
      return clientFd(this.#netns, options.to.ip, { mark })
    }
  }
}

/** The source to take; none towards oneself, where replies could not be told apart, nor across families. */
function foreignSource({ from, to }: DialOptions): Ip | undefined {
  return from === undefined || from === to.ip || ipFamily(from) !== ipFamily(to.ip) ? undefined : from
}
