import type { Server, Socket } from 'node:net'
import { Backoff, type Clock, type Ip, type Logger, messageOf, type SocketFactory } from '@ambit/core'
import { LISTEN_RETRY_MAX_MS, LISTEN_RETRY_MS } from '../limits.ts'
import { listenEverywhere } from '../listen-everywhere.ts'

export interface GatewayPortsComponents {
  readonly sockets: SocketFactory
  readonly onConnection: (socket: Socket, port: number) => void
  readonly clock: Clock
  readonly logger: Logger
}

interface Open {
  readonly abort: AbortController
  server: Server | undefined
}

/** The ports a gateway listens at. One that can't be had is tried again; one that goes takes no connections any more. */
export class GatewayPorts implements Disposable {
  readonly #components: GatewayPortsComponents
  readonly #address: Ip
  readonly #open = new Map<number, Open>()

  constructor(components: GatewayPortsComponents, options: { readonly address: Ip }) {
    this.#components = components
    this.#address = options.address
  }

  /** Ports at which clients can connect now. */
  get listening(): readonly number[] {
    return [...this.#open].filter(([, { server }]) => server !== undefined).map(([port]) => port)
  }

  /** Resolves when every new port was tried once. */
  async reconcile(wanted: ReadonlySet<number>): Promise<void> {
    for (const port of [...this.#open.keys()]) if (!wanted.has(port)) this.#close(port)
    const attempts = [...wanted].filter((port) => !this.#open.has(port)).map((port) => this.#start(port))
    await Promise.all(attempts)
  }

  [Symbol.dispose](): void {
    for (const port of [...this.#open.keys()]) this.#close(port)
  }

  #close(port: number): void {
    const open = this.#open.get(port)
    this.#open.delete(port)
    open?.abort.abort()
    open?.server?.close()
    this.#components.logger.info('port closed', { port })
  }

  /** Resolves after the first attempt; the others go on by themselves. */
  async #start(port: number): Promise<void> {
    const open: Open = { abort: new AbortController(), server: undefined }
    this.#open.set(port, open)
    if (!(await this.#listen(port, open))) void this.#retry(port, open)
  }

  async #retry(port: number, open: Open): Promise<void> {
    const { clock } = this.#components
    const { signal } = open.abort
    const backoff = new Backoff({ initialMs: LISTEN_RETRY_MS, maxMs: LISTEN_RETRY_MAX_MS })
    do {
      await clock.sleep(backoff.next(), signal).catch(() => undefined)
    } while (!signal.aborted && !(await this.#listen(port, open)))
  }

  async #listen(port: number, open: Open): Promise<boolean> {
    const { sockets, onConnection, logger } = this.#components
    try {
      const server = await listenEverywhere(sockets, {
        ip: this.#address,
        port,
        onConnection: (socket) => onConnection(socket, port),
      })
      if (open.abort.signal.aborted) server.close()
      else open.server = server
      logger.info('port opened', { port })
      return true
    } catch (error) {
      logger.error('a port can not be listened at', { port, error: messageOf(error) })
      return false
    }
  }
}
