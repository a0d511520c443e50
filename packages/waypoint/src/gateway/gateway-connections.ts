import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { type Clock, formatSocketAddress, ip, type Logger, messageOf, parseIp, type SocketAddress } from '@ambit/core'
import { cut, firstFlight } from '@ambit/hbone'
import { identityOfCertificate } from '@ambit/identity'
import type { ListenerTable } from '@ambit/route'
import type { Listener } from '@ambit/state'
import type { FrontHandler } from '../http/front.types.ts'
import type { Http1Front } from '../http/http1-front.ts'
import type { Http2Front } from '../http/http2-front.ts'
import { LISTENER_DRAIN_MS, MAX_GATEWAY_CONNECTIONS, TLS_HANDSHAKE_TIMEOUT_MS } from '../limits.ts'
import type { ClientTls, GatewayConnectionFacts } from '../request.types.ts'
import { detectHttpVersion, sniff } from '../tunnel/sniff.ts'
import { forwardedCertificate } from './client-certificate.ts'
import { isServedStill, termsOf } from './listener-terms.ts'
import { TlsRefusal, type TlsTerminator } from './tls-terminator.ts'

export interface GatewayConnectionsComponents {
  readonly table: () => ListenerTable
  readonly terminator: (listener: Listener) => TlsTerminator | undefined
  readonly http1: Http1Front
  readonly http2: Http2Front
  readonly handler: (facts: GatewayConnectionFacts) => FrontHandler
  readonly clock: Clock
  readonly logger: Logger
}

export interface GatewayConnectionsOptions {
  readonly maxConnections?: number | undefined
  readonly handshakeTimeoutMs?: number | undefined
  readonly listenerDrainMs?: number | undefined
}

interface Open {
  readonly facts: GatewayConnectionFacts
  /** Undefined until the client has said which HTTP it speaks. */
  front: Http1Front | Http2Front | undefined
}

/** Connections of clients: secured where their listener says so, then read as HTTP. */
export class GatewayConnections {
  readonly #components: GatewayConnectionsComponents
  readonly #maxConnections: number
  readonly #handshakeTimeoutMs: number
  readonly #listenerDrainMs: number
  /** From accept to the end. */
  readonly #sockets = new Set<Socket>()
  /** Those that are served, by what requests are read from. */
  readonly #open = new Map<Duplex, Open>()
  readonly #waiters = new Set<() => void>()
  /** Somebody was refused since the last one left. */
  #isFull = false

  constructor(components: GatewayConnectionsComponents, options: GatewayConnectionsOptions = {}) {
    this.#components = components
    this.#maxConnections = options.maxConnections ?? MAX_GATEWAY_CONNECTIONS
    this.#handshakeTimeoutMs = options.handshakeTimeoutMs ?? TLS_HANDSHAKE_TIMEOUT_MS
    this.#listenerDrainMs = options.listenerDrainMs ?? LISTENER_DRAIN_MS
  }

  get size(): number {
    return this.#sockets.size
  }

  /** Takes over a socket that was accepted at the port. */
  accept(socket: Socket, port: number): void {
    const { logger } = this.#components
    socket.on('error', () => undefined)
    if (this.#sockets.size >= this.#maxConnections) {
      if (!this.#isFull) logger.warn('connections are refused', { reason: `${this.#sockets.size} are open already` })
      this.#isFull = true
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.once('close', () => this.#closed(socket))
    this.#serve(socket, port).catch((error: unknown) => {
      // Whoever likes can make as many of these lines as they like.
      logger.debug('connection failed', {
        'src.addr': socket.remoteAddress,
        port,
        error: messageOf(error),
      })
      socket.destroy()
    })
  }

  /** Lets go of connections that were let in by other terms than those of now. */
  reconcile(): void {
    const left: Duplex[] = []
    for (const [stream, { front, facts }] of this.#open) {
      if (isServedStill(this.#components.table(), facts)) continue
      this.#open.delete(stream)
      if (front === undefined) stream.destroy()
      else {
        front.leave(stream)
        left.push(stream)
      }
    }
    if (left.length === 0) return
    this.#components.clock.after(this.#listenerDrainMs, () => {
      for (const stream of left) cut(stream)
    })
  }

  /** Ends connections whose clients have not said a word: browsers open some in advance. */
  closeSilent(): void {
    for (const [stream, { front }] of this.#open) if (front === undefined) stream.destroy()
  }

  /** Resolves when no connection is open. */
  async idle(): Promise<void> {
    while (this.#sockets.size > 0) await new Promise<void>((resolve) => void this.#waiters.add(resolve))
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #serve(socket: Socket, port: number): Promise<void> {
    const { table, http1, http2, handler, clock } = this.#components
    const { remote, local } = addressesOf(socket, port)
    const secured = table().isSecured(port) === true ? await this.#secured(socket, port) : undefined
    const stream = secured?.stream ?? socket
    stream.on('error', () => undefined)
    const facts: GatewayConnectionFacts = {
      kind: 'gateway',
      remote,
      local,
      authority: formatSocketAddress(local),
      destinationIp: local.ip,
      destinationPort: local.port,
      targetAddress: undefined,
      port,
      peer: secured?.peer,
      tls: secured?.tls,
    }
    const open: Open = { facts, front: undefined }
    this.#open.set(stream, open)
    stream.once('close', () => this.#open.delete(stream))
    if (!isServedStill(table(), facts)) return cut(stream)
    const version =
      secured?.stream.alpnProtocol === 'h2'
        ? 'http2'
        : await sniff(stream, clock, { detect: detectHttpVersion, silent: undefined })
    if (version === 'ended' || version === 'tcp') return void stream.destroy()
    open.front = version === 'http2' ? http2 : http1
    await open.front.serve(stream, handler(facts))
  }

  async #secured(
    socket: Socket,
    port: number,
  ): Promise<{ readonly stream: TLSSocket; readonly tls: ClientTls; readonly peer: GatewayConnectionFacts['peer'] }> {
    const { table, terminator, clock } = this.#components
    const { promise: ended, reject: giveUp } = Promise.withResolvers<never>()
    ended.catch(() => undefined)
    // The TLS layer, which knows why, learns of the end after its socket.
    const onClose = (): void =>
      void setImmediate(giveUp, new TlsRefusal('the connection was closed during the handshake'))
    socket.once('close', onClose)
    using _limit = clock.after(this.#handshakeTimeoutMs, () =>
      giveUp(new TlsRefusal(`the handshake did not complete within ${this.#handshakeTimeoutMs} ms`)),
    )
    try {
      const hello = await Promise.race([firstFlight(socket), ended])
      const serverName = hello?.serverName
      const listener = table().find(port, serverName ?? '')
      const tls = listener && terminator(listener)
      if (listener === undefined || tls === undefined)
        throw new TlsRefusal(`no listener of the port takes the server name '${(serverName ?? '').slice(0, MAX_NAME)}'`)
      const terms = termsOf(listener)
      const stream = await Promise.race([tls.secure(socket, serverName), ended])
      const certificate = stream.getPeerX509Certificate()
      return {
        stream,
        peer: certificate && identityOfCertificate(certificate),
        tls: {
          version: stream.getProtocol() ?? undefined,
          cipher: stream.getCipher().standardName,
          serverName,
          terms,
          forwardedCertificate: certificate && forwardedCertificate(certificate),
        },
      }
    } finally {
      socket.off('close', onClose)
    }
  }

  #closed(socket: Socket): void {
    this.#sockets.delete(socket)
    this.#isFull = false
    if (this.#sockets.size > 0) return
    for (const wake of this.#waiters) wake()
    this.#waiters.clear()
  }
}

/** Characters of a DNS name. */
const MAX_NAME = 253

const UNSPECIFIED = ip('0.0.0.0')

function addressesOf(socket: Socket, port: number): { readonly remote: SocketAddress; readonly local: SocketAddress } {
  return {
    remote: { ip: parseIp(withoutZone(socket.remoteAddress)) ?? UNSPECIFIED, port: socket.remotePort ?? 0 },
    local: { ip: parseIp(withoutZone(socket.localAddress)) ?? UNSPECIFIED, port },
  }
}

function withoutZone(address = ''): string {
  return address.replace(/%.*$/, '')
}
