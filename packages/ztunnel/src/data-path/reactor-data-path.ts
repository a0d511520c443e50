import { closeSync } from 'node:fs'
import type { Clock, Logger, Metrics, SocketAddress, SpiffeId } from '@ambit/core'
import { Reactor, type ReactorConnection, type ReactorCrashError, ReactorPool, ReactorServer } from '@ambit/hbone'
import { type DescriptorFactory, nodeFfi, stopListening } from '@ambit/linux'
import type { Captured } from '../captured.ts'
import type {
  CapturedConnection,
  DataPath,
  PathListener,
  PathListenOptions,
  PodPath,
  PodPathComponents,
  PodPathOptions,
} from './data-path.types.ts'
import { ReactorAccepted } from './reactor-accepted.ts'
import { ReactorCaptured, type ReactorContext } from './reactor-captured.ts'

export interface ReactorDataPathComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** A worker does not come back: what its pods' listeners get nobody takes. */
  readonly onLost: (error: ReactorCrashError) => void
}

interface Worker {
  readonly reactor: Reactor
  pods: number
}

/** Sockets, TLS and HTTP/2 in workers of their own; everything of a pod is in one of them, so that any two ends can be copied. */
export class ReactorDataPath implements DataPath {
  readonly name = 'reactor'
  readonly #workers: readonly Worker[]

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers
  }

  /** Rejects with ReactorUnavailableError where this Node cannot do it. */
  static async start(
    { clock, logger, metrics, onLost }: ReactorDataPathComponents,
    options: { readonly workers: number },
  ): Promise<ReactorDataPath> {
    // Before anything is registered for it.
    nodeFfi()
    const crashes = metrics.counter({
      name: 'ambit_ztunnel_worker_crashes',
      help: 'Workers of the data path that ended by themselves, with the connections they held',
    })
    const onCrash = (error: ReactorCrashError, isLast: boolean): void => {
      crashes.add({})
      if (isLast) onLost(error)
    }
    const starting = Array.from({ length: options.workers }, () => Reactor.start({ clock, logger, onCrash }))
    const started = await Promise.allSettled(starting)
    const path = new ReactorDataPath(
      started.flatMap((one) => (one.status === 'fulfilled' ? { reactor: one.value, pods: 0 } : [])),
    )
    for (const one of started) {
      if (one.status === 'fulfilled') continue
      await path[Symbol.asyncDispose]()
      throw one.reason
    }
    return path
  }

  /** For tests of what a crash takes down. */
  get reactors(): readonly Reactor[] {
    return this.#workers.map(({ reactor }) => reactor)
  }

  forget(identity: SpiffeId): void {
    for (const { reactor } of this.#workers) reactor.forget(identity)
  }

  forPod(components: PodPathComponents, options: PodPathOptions): PodPath {
    const worker = this.#workers.reduce((least, other) => (other.pods < least.pods ? other : least))
    worker.pods++
    return new ReactorPodPath(worker.reactor, components, options, () => void worker.pods--)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(({ reactor }) => reactor.stop()))
  }
}

class ReactorPodPath implements PodPath {
  readonly #reactor: Reactor
  readonly #descriptors: DescriptorFactory
  readonly #pool: ReactorPool
  readonly #server: ReactorServer
  readonly #context: ReactorContext
  #leave: (() => void) | undefined
  #accepted = 0

  constructor(reactor: Reactor, components: PodPathComponents, options: PodPathOptions, leave: () => void) {
    const { descriptors, certificate, ownCertificate, onConnect, onTlsError, clock, logger } = components
    this.#reactor = reactor
    this.#descriptors = descriptors
    this.#leave = leave
    const socket = (to: SocketAddress): number => descriptors.client({ to })
    this.#pool = new ReactorPool({ reactor, certificate, socket, clock, logger }, options)
    this.#context = { reactor, pool: this.#pool, descriptors }
    this.#server = new ReactorServer(
      {
        reactor,
        certificate: ownCertificate,
        onRequest: (request) => onConnect(new ReactorAccepted(request, descriptors)),
        onTlsError,
        clock,
        logger,
      },
      { keyExchangeGroups: options.keyExchangeGroups },
    )
  }

  listen(options: PathListenOptions, onConnection: (connection: CapturedConnection) => void): Promise<PathListener> {
    const accept = (connection: ReactorConnection): void => {
      const ends = this.#endsOf(connection)
      if (ends === undefined) connection.cut()
      else onConnection(new ReactorCaptured(connection, ends, this.#context))
    }
    return Promise.try(() => this.#listen({ ...options, keepAlive: true }, accept))
  }

  listenForPeers(options: PathListenOptions): Promise<PathListener> {
    // Tunnels have pings of their own.
    const accept = (connection: ReactorConnection): void => this.#server.accept(connection)
    return Promise.try(() => this.#listen({ ...options, keepAlive: false }, accept))
  }

  /** The worker accepts in the turn in which it is asked; a full turn's worth may be followed by more. */
  async untilTaken(): Promise<void> {
    let before: number
    do {
      before = this.#accepted
      // A worker that is gone takes nothing any more.
      await this.#reactor.facts().catch(() => undefined)
    } while (this.#accepted !== before)
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.#server.drain(deadlineMs)
  }

  async close(): Promise<void> {
    this.#leave?.()
    this.#leave = undefined
    await Promise.all([this.#server.close(), this.#pool.close()])
  }

  #listen(
    options: PathListenOptions & { readonly keepAlive: boolean },
    onConnection: (connection: ReactorConnection) => void,
  ): PathListener {
    const fd = this.#descriptors.listener(options)
    let listening: Disposable
    try {
      listening = this.#reactor.listen(fd, (connection) => {
        this.#accepted++
        onConnection(connection)
      })
    } catch (error) {
      closeSync(fd)
      throw error
    }
    return {
      preferNewer: () => this.#descriptors.preferNewer(fd),
      close: () => {
        // At once: the worker closes its descriptor of it later.
        stopListening(fd)
        listening[Symbol.dispose]()
      },
    }
  }

  #endsOf({ remote: source, local, original }: ReactorConnection): Captured | undefined {
    if (source === undefined || local === undefined) return undefined
    return { source, target: this.#descriptors.originalDestination({ local, original }) }
  }
}
