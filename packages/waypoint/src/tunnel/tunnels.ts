import type { Duplex } from 'node:stream'
import { type Clock, formatSocketAddress, type Ip, ip, type Logger, messageOf } from '@ambit/core'
import { type Authority, cut, type HboneRequest, parseAuthority } from '@ambit/hbone'
import type { DestinationVerdict, WaypointSettings } from '@ambit/state'
import type { FrontHandler } from '../http/front.types.ts'
import type { Http1Front } from '../http/http1-front.ts'
import type { Http2Front } from '../http/http2-front.ts'
import { CLIENT_SHARES, MAX_TUNNELS } from '../limits.ts'
import type { TunnelFacts, TunnelTarget } from '../request.types.ts'
import { Shares } from '../shares.ts'
import { detectHttpVersion, detectProtocol, type SniffResult, sniff } from './sniff.ts'

export interface TunnelsComponents {
  readonly find: (authority: Authority) => DestinationVerdict
  readonly settings: () => WaypointSettings | undefined
  readonly http1: Http1Front
  readonly http2: Http2Front
  /** What to do with requests of a tunnel. */
  readonly handler: (facts: TunnelFacts) => FrontHandler
  /** Serves a connection that is no HTTP; resolves when it is over. */
  readonly tcp: (stream: Duplex, facts: TunnelFacts, target: TunnelTarget) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
}

const UNSPECIFIED = ip('0.0.0.0')

/** CONNECTs of clients: which are served, and by what protocol. */
export class Tunnels {
  readonly #components: TunnelsComponents
  readonly #open = new Set<Duplex>()
  readonly #places: Shares<Ip>
  readonly #waiters = new Set<() => void>()

  constructor(components: TunnelsComponents, options: { readonly maxTunnels?: number | undefined } = {}) {
    this.#components = components
    this.#places = new Shares(options.maxTunnels ?? MAX_TUNNELS, CLIENT_SHARES)
  }

  get size(): number {
    return this.#open.size
  }

  readonly serve = (request: HboneRequest): void => {
    const { find, settings, logger } = this.#components
    const authority =
      request.isPlainConnect && request.method === 'CONNECT' ? parseAuthority(request.authority ?? '') : undefined
    if (authority === undefined) return request.reject(400)
    const refuse = (status: number, reason: string): void => {
      logger.info('tunnel refused', {
        'src.addr': formatSocketAddress(request.remote),
        authority: request.authority,
        status,
        reason,
      })
      request.reject(status)
    }
    if (settings() === undefined) return refuse(503, 'the control plane has not sent the settings of this waypoint')
    const target = find(authority)
    if (target.kind === 'none') return refuse(404, target.message)
    const { ip: client } = request.remote
    const crowded = this.#places.enter(client)
    if (crowded !== undefined) return refuse(503, `tunnels: ${crowded}`)
    const facts = factsOf(request, authority, target)
    const stream = request.accept()
    stream.on('error', () => undefined)
    this.#open.add(stream)
    stream.once('close', () => {
      this.#open.delete(stream)
      this.#places.leave(client)
      if (this.#open.size > 0) return
      for (const wake of this.#waiters) wake()
      this.#waiters.clear()
    })
    void this.#run(stream, facts, target).catch((error: unknown) => {
      logger.error('a tunnel could not be served', { authority: facts.authority, error: messageOf(error) })
      cut(stream)
    })
  }

  /** Resolves when no tunnel is open. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await new Promise<void>((resolve) => void this.#waiters.add(resolve))
  }

  cutAll(): void {
    for (const stream of this.#open) cut(stream)
  }

  async #run(stream: Duplex, facts: TunnelFacts, target: TunnelTarget): Promise<void> {
    const { http1, http2, tcp, handler } = this.#components
    switch (await this.#protocol(stream, target)) {
      case 'ended':
        return cut(stream)
      case 'tcp':
        return await tcp(stream, facts, target)
      case 'http1':
        return await http1.serve(stream, handler(facts))
      case 'http2':
        return await http2.serve(stream, handler(facts))
    }
  }

  async #protocol(stream: Duplex, target: TunnelTarget): Promise<SniffResult> {
    const { clock } = this.#components
    switch (target.kind === 'service' ? target.port.protocol : 'unknown') {
      case 'tcp':
      case 'tls':
        return 'tcp'
      case 'unknown':
        return await sniff(stream, clock, {
          detect: detectProtocol,
          silent: this.#isForRequests(target) ? undefined : 'tcp',
        })
      case 'http':
      case 'http2':
      case 'grpc':
        return await sniff(stream, clock, { detect: detectHttpVersion, silent: undefined })
    }
  }

  /** Something is done to requests here that connections would go round: a client must not get there by waiting in silence. */
  #isForRequests(target: TunnelTarget): boolean {
    if (target.destination.authenticatesRequests || this.#components.settings()?.forwardClientIdentity === true)
      return true
    return target.kind === 'service' && target.port.routes !== undefined
  }
}

function factsOf(request: HboneRequest, authority: Authority, target: TunnelTarget): TunnelFacts {
  return {
    kind: 'tunnel',
    peer: request.peer.identity,
    transport: request.tls,
    remote: request.remote,
    local: request.local,
    authority: request.authority ?? '',
    asked: authority,
    destinationIp: authority.kind === 'address' ? authority.ip : firstAddress(target),
    destinationPort: authority.port,
    targetAddress: authority.kind === 'address' ? { ip: authority.ip, port: authority.port } : undefined,
  }
}

function firstAddress(target: TunnelTarget): Ip {
  return (target.kind === 'service' ? target.service.vips[0]?.ip : target.workload.ips[0]) ?? UNSPECIFIED
}
