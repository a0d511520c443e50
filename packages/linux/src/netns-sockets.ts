import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, Server, Socket } from 'node:net'
import {
  codeOf,
  type DialOptions,
  ipFamily,
  type ListenOptions,
  type SocketAddress,
  type SocketFactory,
} from '@ambit/core'
import { type DescriptorFactory, type DescriptorOptions, netnsDescriptors } from './descriptor-factory.ts'
import { connected } from './dial.ts'
import { LISTEN_BACKLOG, SPOOFED_PORT_ATTEMPTS } from './limits.ts'
import type { Netns } from './netns.ts'
import { udpFd } from './netns-fd.ts'
import { descriptorOf, originalDestination } from './original-destination.ts'
import { preferNewer } from './prefer-newer.ts'

export type NetnsSocketsOptions = DescriptorOptions

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
  readonly #descriptors: DescriptorFactory
  /** Descriptors of open sockets, which Node does not tell. */
  readonly #datagrams = new WeakMap<UdpSocket, number>()

  constructor(netns: Netns | undefined, options: NetnsSocketsOptions) {
    this.#netns = netns
    this.#options = options
    this.#descriptors = netnsDescriptors(netns, options)
  }

  async listen(options: ListenOptions): Promise<Server> {
    // Half-open listeners face applications; tunnels have pings of their own.
    const fd = this.#descriptors.listener({ ...options, keepAlive: options.allowHalfOpen })
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

  #dialOnce(options: DialOptions): Promise<Socket> {
    const fd = this.#descriptors.client(options)
    // connect() in the tick of the constructor: a later one finds the socket destroyed by its first read.
    const socket = new Socket({ fd, allowHalfOpen: options.allowHalfOpen ?? false })
    return connected(socket.connect({ host: options.to.ip, port: options.to.port }), options)
  }
}
