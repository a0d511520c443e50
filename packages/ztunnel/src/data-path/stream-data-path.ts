import type { Socket } from 'node:net'
import type { Clock, SocketFactory } from '@ambit/core'
import { HbonePool, HboneServer, ReadSlabs } from '@ambit/hbone'
import { capturedEnds } from '../captured.ts'
import { CONNECT_TIMEOUT_MS } from '../limits.ts'
import { untilRead } from '../until-read.ts'
import type {
  CapturedConnection,
  DataPath,
  PathListener,
  PathListenOptions,
  PodPath,
  PodPathComponents,
  PodPathOptions,
} from './data-path.types.ts'
import { StreamConnect } from './stream-connect.ts'
import { StreamConnection } from './stream-connection.ts'

/** Node's own sockets, TLS and HTTP/2 in this thread. */
export class StreamDataPath implements DataPath {
  readonly name = 'node'
  readonly #slabs = new ReadSlabs()

  forPod(components: PodPathComponents, options: PodPathOptions): PodPath {
    return new StreamPodPath({ ...components, slabs: this.#slabs }, options)
  }

  forget(): void {
    // A pod's contexts go with the pod.
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

/** What connections of a pod need of it. */
export interface StreamContext {
  readonly sockets: SocketFactory
  readonly pool: Pick<HbonePool, 'open'>
  readonly slabs: ReadSlabs
  readonly clock: Clock
}

class StreamPodPath implements PodPath {
  readonly #sockets: SocketFactory
  readonly #pool: HbonePool
  readonly #hbone: HboneServer
  readonly #context: StreamContext

  constructor(components: PodPathComponents & { readonly slabs: ReadSlabs }, options: PodPathOptions) {
    const { sockets, certificate, ownCertificate, onConnect, onTlsError, slabs, clock, logger } = components
    this.#sockets = sockets
    this.#pool = new HbonePool(
      {
        dial: (to, signal) => sockets.dial({ to, timeoutMs: CONNECT_TIMEOUT_MS, signal }),
        certificate,
        clock,
        logger,
      },
      options,
    )
    this.#context = { sockets, pool: this.#pool, slabs, clock }
    this.#hbone = new HboneServer(
      {
        certificate: ownCertificate,
        onRequest: (request) => onConnect(new StreamConnect(request, this.#context)),
        onTlsError,
        clock,
        logger,
      },
      { keyExchangeGroups: options.keyExchangeGroups },
    )
  }

  async listen(
    options: PathListenOptions,
    onConnection: (connection: CapturedConnection) => void,
  ): Promise<PathListener> {
    return await this.#listen({ ...options, allowHalfOpen: true }, (socket) => {
      // Without a listener an error of this peer would end the process.
      socket.on('error', () => undefined)
      const ends = capturedEnds(socket, this.#sockets)
      if (ends === undefined) socket.destroy()
      else onConnection(new StreamConnection(socket, ends, this.#context))
    })
  }

  async listenForPeers(options: PathListenOptions): Promise<PathListener> {
    // Never half-open: the death of a peer would go unnoticed.
    return await this.#listen({ ...options, allowHalfOpen: false }, (socket) => this.#hbone.accept(socket))
  }

  async untilTaken(): Promise<void> {
    await untilRead()
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.#hbone.drain(deadlineMs)
  }

  async close(): Promise<void> {
    await Promise.all([this.#hbone.close(), this.#pool.close()])
  }

  async #listen(
    options: PathListenOptions & { readonly allowHalfOpen: boolean },
    onConnection: (socket: Socket) => void,
  ): Promise<PathListener> {
    const server = await this.#sockets.listen({ ...options, onConnection })
    return { preferNewer: () => this.#sockets.preferNewer(server), close: () => void server.close() }
  }
}
