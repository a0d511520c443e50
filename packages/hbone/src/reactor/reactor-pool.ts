import {
  abortable,
  type Clock,
  codeOf,
  formatSocketAddress,
  type Logger,
  messageOf,
  type SocketAddress,
} from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { clientFd } from '@ambit/linux'
import { HboneConnectError } from '../errors.ts'
import { HANDSHAKE_TIMEOUT_MS } from '../limits.ts'
import { ConnectionPool, type HbonePoolOptions, type Tunnel } from '../pool.ts'
import type { Connected, OpenRequest } from '../pool.types.ts'
import type { Reactor } from './reactor.ts'
import type { ReactorConnection } from './reactor-connection.ts'
import type { ReactorCopy, ReactorCopyOptions } from './reactor-copies.ts'
import { secureClientByReactor } from './reactor-peer.ts'
import { ReactorClientSession, type ReactorTunnel } from './reactor-session.ts'

export interface ReactorPoolComponents {
  readonly reactor: Reactor
  readonly certificate: (identity: OpenRequest['source'], signal?: AbortSignal) => Promise<WorkloadCertificate>
  /** An unconnected socket towards there; by default one of this process' own namespace. */
  readonly socket?: (to: SocketAddress) => number
  readonly clock: Clock
  readonly logger: Logger
}

/** An accepted CONNECT whose bytes flow already. */
export interface CopiedTunnel extends Omit<Tunnel<ReactorTunnel>, 'stream'> {
  readonly copy: ReactorCopy
}

/** As {@link HbonePool}, of connections that live in a reactor. */
export class ReactorPool extends ConnectionPool<ReactorTunnel, ReactorClientSession> {
  constructor(components: ReactorPoolComponents, options: HbonePoolOptions = {}) {
    const { reactor, certificate, clock, logger } = components
    const timeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS
    const connect = async (
      request: OpenRequest,
      signal: AbortSignal,
    ): Promise<Connected<ReactorTunnel, ReactorClientSession>> => {
      const { source, to, expected } = request
      const certified = await certificate(source, signal)
      const fd = components.socket?.(to) ?? clientFd(undefined, to.ip, {})
      const connection = await dial(reactor, fd, to, timeoutMs, signal)
      const secured = secureClientByReactor(reactor, connection, expected, {
        certificate: certified,
        groups: options.keyExchangeGroups,
        timeoutMs,
      })
      let verified: Awaited<typeof secured>
      try {
        verified = await abortable(secured, signal)
      } catch (error) {
        connection.cut()
        throw error
      }
      const { peer, facts } = verified
      return {
        session: new ReactorClientSession(reactor.port, connection, options),
        peer: peer.identity,
        facts,
        peerCertificate: peer.chain[0],
      }
    }
    super({ connect, cut: (tunnel) => tunnel.cut(), clock, logger, watches: false }, options)
  }

  /**
   * Opens a stream, and copies from `connection` to it and back as soon as it is accepted, without waiting for this thread. Rejects as
   * `open` does: then `connection` is left as it is. The signal of the request cuts, whatever has come of it by then.
   */
  async openAndCopy(
    request: OpenRequest,
    connection: ReactorConnection,
    options: Pick<ReactorCopyOptions, 'prefix'> = {},
  ): Promise<CopiedTunnel> {
    const copying = { ...options, signal: request.signal }
    let copy: ReactorCopy | undefined
    const tunnel = await this.openBy(request, (session) => {
      const { stream, response } = session.requestAndCopy(request.authority, request.headers ?? {}, connection, copying)
      const answered = response.then((answer) => {
        copy = answer.copy
        return answer
      })
      answered.catch(() => undefined)
      return { stream, response: answered }
    })
    if (copy === undefined) throw new HboneConnectError('the tunnel was opened and not copied')
    return { ...tunnel, copy }
  }
}

async function dial(
  reactor: Reactor,
  fd: number,
  to: SocketAddress,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReactorConnection> {
  try {
    return await reactor.connect(fd, { to, timeoutMs, signal })
  } catch (error) {
    signal.throwIfAborted()
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    const address = formatSocketAddress(to)
    const hint = `connection timed out, maybe a NetworkPolicy is blocking HBONE port ${to.port}: ${address}`
    const message = codeOf(cause) === 'ETIMEDOUT' ? hint : `connection to ${address} failed: ${messageOf(cause)}`
    throw new HboneConnectError(message, { cause })
  }
}
