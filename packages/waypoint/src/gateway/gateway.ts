import type { Socket } from 'node:net'
import type { Clock, Ip, Logger, SocketFactory } from '@ambit/core'
import { ListenerTable } from '@ambit/route'
import type { CredentialStore, DestinationStore, Listener } from '@ambit/state'
import type { ClientSide } from '../client-side.types.ts'
import type { FrontHandler } from '../http/front.types.ts'
import type { Http1Front } from '../http/http1-front.ts'
import type { Http2Front } from '../http/http2-front.ts'
import type { GatewayConnectionFacts } from '../request.types.ts'
import { GatewayConnections, type GatewayConnectionsOptions } from './gateway-connections.ts'
import { GatewayPorts } from './gateway-ports.ts'
import { termsOf } from './listener-terms.ts'
import type { ServerIdentity } from './server-identity.ts'
import { TlsTerminator } from './tls-terminator.ts'

export interface GatewayComponents {
  readonly destinations: DestinationStore
  readonly credentials: CredentialStore
  readonly sockets: SocketFactory
  readonly http1: Http1Front
  readonly http2: Http2Front
  readonly handler: (facts: GatewayConnectionFacts) => FrontHandler
  readonly clock: Clock
  readonly logger: Logger
}

/** What a listener's TLS looks like, for people. */
export interface ListenerTlsState {
  readonly listener: string
  readonly problem: string | undefined
  readonly identities: readonly ServerIdentity[]
}

/** The side of a gateway that clients see: ports, TLS and connections, always as the settings and credentials are now. */
export class Gateway implements ClientSide {
  readonly #components: GatewayComponents
  readonly #stack = new DisposableStack()
  readonly #ports: GatewayPorts
  readonly #connections: GatewayConnections
  /** By what they were made of; a listener that only changes its routes keeps its own. */
  #terminators = new Map<string, TlsTerminator>()
  #table = new ListenerTable([])

  constructor(components: GatewayComponents, options: GatewayConnectionsOptions & { readonly address: Ip }) {
    this.#components = components
    const { sockets, http1, http2, handler, clock, logger } = components
    this.#connections = new GatewayConnections(
      {
        table: () => this.#table,
        terminator: (listener) => this.#terminators.get(keyOf(listener)),
        http1,
        http2,
        handler,
        clock,
        logger: logger.scope('access'),
      },
      options,
    )
    const onConnection = (socket: Socket, port: number): void => this.#connections.accept(socket, port)
    this.#ports = this.#stack.use(new GatewayPorts({ sockets, onConnection, clock, logger }, options))
  }

  get table(): ListenerTable {
    return this.#table
  }

  get size(): number {
    return this.#connections.size
  }

  get listening(): readonly number[] {
    return this.#ports.listening
  }

  get tlsStates(): readonly ListenerTlsState[] {
    return this.#listeners().flatMap((listener) => {
      const terminator = this.#terminators.get(keyOf(listener))
      return terminator === undefined
        ? []
        : [{ listener: listener.name, problem: terminator.problem, identities: terminator.identities }]
    })
  }

  /** Follows settings and credentials from now on; resolves when the ports of now were tried. */
  async start(): Promise<void> {
    const { destinations, credentials } = this.#components
    this.#stack.use(
      destinations.subscribe(({ settings }) => {
        if (settings) void this.#reconcile()
      }),
    )
    this.#stack.use(credentials.subscribe((names) => this.#reload(names)))
    await this.#reconcile()
  }

  /** Clients of a gateway are only told with an answer. New ones are let in until the end: a load balancer may not know yet. */
  startDrain(): void {}

  closeSilent(): void {
    this.#connections.closeSilent()
  }

  async idle(): Promise<void> {
    await this.#connections.idle()
  }

  cutAll(): void {
    this.#connections.cutAll()
  }

  close(): Promise<void> {
    this.#stack.dispose()
    this.cutAll()
    return Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #listeners(): readonly Listener[] {
    return this.#components.destinations.settings?.listeners ?? []
  }

  async #reconcile(): Promise<void> {
    const listeners = this.#listeners()
    const before = this.#terminators
    this.#terminators = new Map()
    for (const listener of listeners) {
      const key = keyOf(listener)
      const terminator = before.get(key) ?? this.#terminatorOf(listener)
      if (terminator !== undefined) this.#terminators.set(key, terminator)
    }
    this.#table = new ListenerTable(listeners)
    this.#connections.reconcile()
    await this.#ports.reconcile(this.#table.ports)
  }

  #terminatorOf(listener: Listener): TlsTerminator | undefined {
    const { tls } = listener
    if (tls === undefined) return undefined
    const { credentials } = this.#components
    const terminator = new TlsTerminator({ credentials }, { tls, terms: termsOf(listener) })
    this.#tell(listener.name, terminator)
    return terminator
  }

  #reload(names: readonly string[]): void {
    for (const listener of this.#listeners()) {
      const terminator = this.#terminators.get(keyOf(listener))
      if (terminator === undefined || !names.some((name) => terminator.uses(name))) continue
      terminator.reload()
      this.#tell(listener.name, terminator)
    }
  }

  #tell(listener: string, { problem, identities }: TlsTerminator): void {
    const { logger } = this.#components
    if (problem !== undefined) logger.warn('listener without TLS keys: its clients are refused', { listener, problem })
    for (const { credential, certificate } of identities)
      logger.info('listener has a certificate', { listener, credential, expires: certificate.validTo })
  }
}

function keyOf(listener: Listener): string {
  return JSON.stringify([listener.port, termsOf(listener), listener.tls?.credentials])
}
