import type { Server } from 'node:net'
import type { Clock, Closable, Logger, SocketAddress, SocketFactory } from '@ambit/core'
import { formatSocketAddress } from '@ambit/core'
import { framedEngine, type HboneRequest, HboneServer, type HboneServerOptions } from '@ambit/hbone'
import type { WorkloadCertificate } from '@ambit/identity'
import { MAX_STREAMS_PER_CONNECTION } from '../limits.ts'
import { listenEverywhere } from '../listen-everywhere.ts'

export interface HboneListenerComponents {
  readonly sockets: SocketFactory
  readonly certificate: () => Promise<WorkloadCertificate>
  readonly onRequest: (request: HboneRequest) => void
  readonly clock: Clock
  readonly logger: Logger
}

/** Port 15008. It listens until the very end: who has not heard yet that the waypoint is leaving is served. */
export class HboneListener implements Closable {
  readonly #components: HboneListenerComponents
  readonly #options: HboneServerOptions
  #hbone: HboneServer
  #draining: HboneServer | undefined
  #server: Server | undefined

  constructor(components: HboneListenerComponents) {
    this.#components = components
    this.#options = { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION }
    this.#hbone = this.#newServer()
  }

  /** Answers the address really bound; `::` falls back to IPv4 where the node has no IPv6. */
  async listen(address: SocketAddress): Promise<SocketAddress> {
    this.#server = await listenEverywhere(this.#components.sockets, {
      ...address,
      onConnection: (socket) => this.#hbone.accept(socket),
    })
    const bound = this.#server.address()
    return { ...address, port: typeof bound === 'object' && bound !== null ? bound.port : address.port }
  }

  /** Tells peers in two steps to open no further streams here, and goes on serving those that are open and new connections. */
  startDrain(deadlineMs: number): void {
    if (this.#draining !== undefined) return
    this.#draining = this.#hbone
    this.#hbone = this.#newServer()
    void this.#draining.drain(deadlineMs)
  }

  async close(): Promise<void> {
    this.#server?.close()
    await Promise.all([this.#hbone.close(), this.#draining?.close()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #newServer(): HboneServer {
    const { certificate, onRequest, clock, logger } = this.#components
    return new HboneServer(
      {
        certificate,
        onRequest,
        onTlsError: (error, remote) =>
          logger.info('connection failed', { 'src.addr': remote && formatSocketAddress(remote), error: error.message }),
        clock,
        logger,
        engine: framedEngine,
      },
      this.#options,
    )
  }
}
