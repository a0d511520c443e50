import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import {
  type DialOptions,
  formatSocketAddress,
  ip,
  type ListenOptions,
  parseIp,
  type SocketAddress,
  type SocketFactory,
} from '@ambit/core'

/**
 * Sockets for proxies under test: everything stays on 127.0.0.1 without privileges. Addresses of the mesh are routed to
 * real listeners with `route`, and where a captured connection was going is said with `redirect`.
 */
export class LoopbackSockets implements SocketFactory, AsyncDisposable {
  readonly #routes = new Map<string, SocketAddress>()
  readonly #listening = new Map<number, SocketAddress>()
  readonly #open = new Set<Server | Socket | UdpSocket>()
  #originalDestination: (socket: Socket) => SocketAddress | undefined = (socket) => localAddress(socket)

  /** Every dial, in order, as it was asked for. */
  readonly dials: DialOptions[] = []

  /** Dials to `from` go to `to`. */
  route(from: SocketAddress, to: SocketAddress): void {
    this.#routes.set(formatSocketAddress(from), to)
  }

  /** Where captured connections were going. */
  redirect(destination: (socket: Socket) => SocketAddress | undefined): void {
    this.#originalDestination = destination
  }

  /** The real address of the listener that asked for this port. */
  listener(port: number): SocketAddress | undefined {
    return this.#listening.get(port)
  }

  async listen(options: ListenOptions): Promise<Server> {
    const server = createServer({ allowHalfOpen: options.allowHalfOpen ?? false }, (socket) => {
      this.#keep(socket)
      options.onConnection(socket)
    })
    server.listen({ host: '127.0.0.1', port: 0, backlog: options.backlog })
    await once(server, 'listening')
    this.#keep(server)
    const address = server.address()
    if (typeof address === 'object' && address !== null) {
      this.#listening.set(options.port, { ip: ip('127.0.0.1'), port: address.port })
    }
    return server
  }

  /** Every listener has a port of its own. */
  preferNewer(): boolean {
    return false
  }

  async dial(options: DialOptions): Promise<Socket> {
    this.dials.push(options)
    const { ip: host, port } = this.#routes.get(formatSocketAddress(options.to)) ?? options.to
    const socket = connect({ host, port, allowHalfOpen: options.allowHalfOpen ?? false, noDelay: true })
    this.#keep(socket)
    const limit = AbortSignal.timeout(options.timeoutMs)
    const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal])
    try {
      await once(socket, 'connect', { signal })
      return socket
    } catch (error) {
      socket.destroy()
      if (!limit.aborted) throw error
      throw Object.assign(new Error(`connect to ${host}:${port} timed out`, { cause: error }), { code: 'ETIMEDOUT' })
    }
  }

  async bindUdp(_address: SocketAddress): Promise<UdpSocket> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    this.#keep(socket)
    return socket
  }

  originalDestination(socket: Socket): SocketAddress | undefined {
    return this.#originalDestination(socket)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = [...this.#open].map(async (open) => {
      if ('destroy' in open) open.destroy()
      else {
        const closed = once(open, 'close')
        open.close()
        await closed
      }
    })
    await Promise.all(closing)
  }

  #keep(open: Server | Socket | UdpSocket): void {
    this.#open.add(open)
    // Tests end connections in every way; an error nobody listens to would end the test process.
    open.on('error', () => {})
    open.once('close', () => this.#open.delete(open))
  }
}

function localAddress({ localAddress, localPort }: Socket): SocketAddress | undefined {
  const address = parseIp(localAddress ?? '')
  return address === undefined || localPort === undefined ? undefined : { ip: address, port: localPort }
}
