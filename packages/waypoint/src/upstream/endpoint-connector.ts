import type { Duplex } from 'node:stream'
import {
  codeOf,
  formatSocketAddress,
  formatSpiffeId,
  type Ip,
  messageOf,
  type SocketFactory,
  type SpiffeId,
} from '@ambit/core'
import type { HbonePool } from '@ambit/hbone'
import type { Direct, Passthrough, ViaWaypoint } from '@ambit/state'
import { UpstreamError } from './errors.ts'
import { originateTls, type WithTls } from './originate-tls.ts'

/** Where an endpoint is, once it has been chosen. */
export type Endpoint = ((Direct | Passthrough) & WithTls) | ViaWaypoint

export interface EndpointConnectorComponents {
  readonly pool: HbonePool
  readonly sockets: SocketFactory
}

/** What is to be spoken inside, where the endpoint ends TLS itself and asks. */
export type Alpn = 'http/1.1' | 'h2' | undefined

/** Opens byte streams to endpoints, by HBONE with the proxy's own certificate or, out of the mesh, by plain TCP. */
export class EndpointConnector {
  readonly #components: EndpointConnectorComponents
  readonly #identity: SpiffeId
  readonly #ownIp: Ip

  constructor(components: EndpointConnectorComponents, options: { readonly identity: SpiffeId; readonly ownIp: Ip }) {
    this.#components = components
    this.#identity = options.identity
    this.#ownIp = options.ownIp
  }

  /** Rejects with an UpstreamError; never sent. */
  async open(endpoint: Endpoint, timeoutMs: number, signal: AbortSignal, alpn?: Alpn): Promise<Duplex> {
    const limit = AbortSignal.timeout(timeoutMs)
    const either = AbortSignal.any([limit, signal])
    try {
      const stream = await this.#bytes(endpoint, timeoutMs, signal, either)
      const tls = endpoint.kind === 'waypoint' ? undefined : endpoint.tls
      return tls === undefined ? stream : await originateTls(stream, tls, alpn, either)
    } catch (cause) {
      if (signal.aborted) throw new UpstreamError('terminated', 'given up', { cause, sent: false })
      const timedOut = limit.aborted || codeOf(cause) === 'ETIMEDOUT' || codeOf((cause as Error).cause) === 'ETIMEDOUT'
      const what = `${formatSocketAddress(endpoint.to)}: ${timedOut ? `no connection within ${timeoutMs} ms` : messageOf(cause)}`
      throw new UpstreamError(timedOut ? 'connect-timeout' : 'connect-failed', what, { cause, sent: false })
    }
  }

  async #bytes(endpoint: Endpoint, timeoutMs: number, signal: AbortSignal, either: AbortSignal): Promise<Duplex> {
    if (endpoint.kind === 'passthrough' || (endpoint.kind === 'direct' && endpoint.protocol === 'TCP')) {
      const socket = await this.#components.sockets.dial({ to: endpoint.to, timeoutMs, signal, allowHalfOpen: true })
      socket.setNoDelay(true)
      return socket
    }
    const { stream } = await this.#components.pool.open({
      source: this.#identity,
      sourceIp: this.#ownIp,
      to: endpoint.to,
      expected: endpoint.expected,
      authority: formatSocketAddress(endpoint.authority ?? endpoint.to),
      signal: either,
    })
    return stream
  }
}

/** Equal for endpoints that may share a connection. */
export function endpointKey(endpoint: Endpoint): string {
  const tls = endpoint.kind === 'waypoint' || endpoint.tls === undefined ? '' : ` tls ${JSON.stringify(endpoint.tls)}`
  const to = `${formatSocketAddress(endpoint.to)}${tls}`
  if (endpoint.kind === 'passthrough') return `tcp ${to}`
  const authority = endpoint.authority === undefined ? '' : formatSocketAddress(endpoint.authority)
  const protocol = endpoint.kind === 'direct' ? endpoint.protocol : 'HBONE'
  return `${protocol} ${to} ${authority} ${endpoint.expected.map(formatSpiffeId).join(',')}`
}
