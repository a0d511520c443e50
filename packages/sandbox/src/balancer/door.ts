import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { BlockList, connect, type Server, type Socket } from 'node:net'
import { type Logger, messageOf, resetSocket } from '@ambit/core'
import { LIMITS } from '../limits.ts'
import type { Backend } from './doors-of.ts'

export interface DoorOptions {
  /** Asked for every new connection: in an order of its own choice, the first that answers gets it. */
  readonly backends: () => readonly Backend[]
  /** Whether a client of that address may come in. */
  readonly admits: (ip: string) => boolean
  readonly logger: Logger
}

/** Carries connections that arrive at a port of the machine into the cluster. */
export class TcpDoor implements AsyncDisposable {
  readonly #server: Server
  readonly #options: DoorOptions
  readonly #sockets = new Set<Socket>()

  /** Number it is open under. */
  get port(): number {
    const bound = this.#server.address()
    return typeof bound === 'object' && bound !== null ? bound.port : 0
  }

  constructor(server: Server, options: DoorOptions) {
    this.#server = server
    this.#options = options
    server.maxConnections = LIMITS.machinePortConnections
    server.on('connection', (client) => void this.#carry(client))
    server.on('error', (error) => options.logger.warn('port of the machine failed', { error: messageOf(error) }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #carry(client: Socket): Promise<void> {
    this.#keep(client)
    client.allowHalfOpen = true
    client.pause()
    const backend = this.#options.admits(client.remoteAddress ?? '') ? await this.#dial(client) : undefined
    if (backend === undefined || client.destroyed) {
      backend?.destroy()
      resetSocket(client)
      return
    }
    client.pipe(backend)
    backend.pipe(client)
    for (const [one, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      one.on('error', () => resetSocket(other))
      one.on('close', () => other.destroySoon())
    }
  }

  async #dial(client: Socket): Promise<Socket | undefined> {
    for (const { ip, port } of this.#options.backends()) {
      if (client.destroyed) return undefined
      const socket = connect({ host: ip, port, allowHalfOpen: true, noDelay: true })
      this.#keep(socket)
      const connected = await new Promise<boolean>((resolve) => {
        socket.setTimeout(LIMITS.machinePortDialMs, () => socket.destroy())
        socket.once('connect', () => resolve(true))
        socket.once('close', () => resolve(false))
      })
      if (!connected) continue
      socket.setTimeout(0)
      return socket
    }
    return undefined
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

interface Flow {
  readonly socket: UdpSocket
  readonly backend: Backend
  lastMs: number
}

/** Carries datagrams of a port of the machine, each client over a socket of its own so that answers find back. */
export class UdpDoor implements AsyncDisposable {
  readonly #outside: UdpSocket
  readonly #options: DoorOptions
  readonly #flows = new Map<string, Flow>()
  readonly #sweep: NodeJS.Timeout

  get port(): number {
    return this.#outside.address().port
  }

  constructor(outside: UdpSocket, options: DoorOptions) {
    this.#outside = outside
    this.#options = options
    outside.on('message', (message, client) => this.#carry(message, client))
    outside.on('error', (error) => options.logger.warn('port of the machine failed', { error: messageOf(error) }))
    this.#sweep = setInterval(() => this.#forgetSilent(), LIMITS.machinePortUdpIdleMs / 2).unref()
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep)
    for (const { socket } of this.#flows.values()) socket.close()
    this.#flows.clear()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#outside.close(resolve)
    return promise
  }

  #carry(message: Buffer, client: RemoteInfo): void {
    if (!this.#options.admits(client.address)) return
    const key = `${client.address}:${client.port}`
    const flow = this.#flows.get(key) ?? this.#open(key, client)
    if (flow === undefined) return
    flow.lastMs = Date.now()
    // Last in order: silent for the shortest time.
    this.#flows.delete(key)
    this.#flows.set(key, flow)
    flow.socket.send(message, flow.backend.port, flow.backend.ip, () => undefined)
  }

  #open(key: string, client: RemoteInfo): Flow | undefined {
    const [backend] = this.#options.backends()
    if (backend === undefined) return undefined
    const [oldest] = this.#flows
    if (oldest !== undefined && this.#flows.size >= LIMITS.machinePortUdpClients) this.#forget(oldest[0])
    const socket = createSocket(backend.ip.includes(':') ? 'udp6' : 'udp4')
    socket.on('error', () => this.#forget(key))
    socket.on('message', (answer, from) => {
      if (from.port === backend.port) this.#outside.send(answer, client.port, client.address, () => undefined)
    })
    return { socket, backend, lastMs: Date.now() }
  }

  #forget(key: string): void {
    const flow = this.#flows.get(key)
    if (flow === undefined) return
    this.#flows.delete(key)
    flow.socket.close()
  }

  #forgetSilent(): void {
    const before = Date.now() - LIMITS.machinePortUdpIdleMs
    for (const [key, { lastMs }] of this.#flows) if (lastMs < before) this.#forget(key)
  }
}

/** Decides by the ranges of `loadBalancerSourceRanges`; without any everybody is admitted. */
export function admission(ranges: readonly string[] | undefined): (ip: string) => boolean {
  if (ranges === undefined || ranges.length === 0) return () => true
  const list = new BlockList()
  for (const range of ranges) {
    const [ip = '', bits = ''] = range.trim().split('/')
    list.addSubnet(ip, Number(bits), ip.includes(':') ? 'ipv6' : 'ipv4')
  }
  return (ip) => list.check(ip, ip.includes(':') ? 'ipv6' : 'ipv4')
}
