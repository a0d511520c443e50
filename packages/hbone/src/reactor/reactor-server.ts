import { type Clock, type Logger, messageOf, type SocketAddress } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import type { KeyExchangeGroup } from '../defaults.ts'
import type { ServeOptions } from '../engine.types.ts'
import { HboneTlsError } from '../errors.ts'
import { TunnelRequest } from '../tunnel-request.ts'
import { TunnelServer, type TunnelServerOptions } from '../tunnel-server.ts'
import type { Reactor } from './reactor.ts'
import type { ReactorConnection } from './reactor-connection.ts'
import type { ReactorJoined } from './reactor-copies.ts'
import { secureServerByReactor } from './reactor-peer.ts'
import {
  type ReactorAcceptOptions,
  type ReactorRequest,
  ReactorServerSession,
  type ReactorTunnel,
} from './reactor-session.ts'

export interface ReactorServerComponents {
  readonly reactor: Reactor
  /** Asked for each connection, so that a new certificate serves the next one. */
  readonly certificate: () => Promise<WorkloadCertificate> | WorkloadCertificate
  /** Should it fail, the request is answered 503, or its tunnel is reset if it was accepted already. */
  readonly onRequest: (request: ReactorHboneRequest) => void | Promise<void>
  readonly onTlsError: (error: Error, remote: SocketAddress | undefined) => void
  readonly clock: Clock
  readonly logger: Logger
}

export interface ReactorServerOptions extends TunnelServerOptions, ServeOptions {
  /** In order of preference; by default {@link KEY_EXCHANGE_GROUPS}. */
  readonly keyExchangeGroups?: readonly KeyExchangeGroup[] | undefined
}

/** One CONNECT, to be answered once: accept it, connect and accept it, or reject it. */
export class ReactorHboneRequest extends TunnelRequest<ReactorTunnel, ReactorRequest> {
  /**
   * Takes over the descriptor of an unconnected socket and connects it; then answers 200 and copies (`a` is the tunnel), without waiting
   * for this thread. When it cannot be connected this rejects, and the request is still to be answered.
   */
  acceptAndConnect(fd: number, options: ReactorAcceptOptions): Promise<ReactorJoined> {
    return this.stream.acceptAndConnect(fd, options)
  }

  /** Its handler has failed: nobody would ever end what was accepted. */
  abandon(): void {
    this.stream.abandon()
  }
}

/** HBONE for one workload, as {@link HboneServer} serves it, of connections that live in a reactor. */
export class ReactorServer extends TunnelServer<ReactorConnection, ReactorRequest, ReactorHboneRequest> {
  constructor(components: ReactorServerComponents, options: ReactorServerOptions = {}) {
    const { reactor, certificate } = components
    const groups = options.keyExchangeGroups
    super(
      {
        ...components,
        secure: async (connection, timeoutMs) => {
          const certified = await inTime(certificate, connection, components.clock, timeoutMs)
          const secured = await secureServerByReactor(reactor, connection, {
            certificate: certified,
            groups,
            timeoutMs,
          })
          return {
            ...secured,
            serve: (onStream) => new ReactorServerSession(reactor.port, connection, onStream, options),
            destroy: () => connection.cut(),
          }
        },
        destroy: (connection) => connection.cut(),
        request: (stream, facts) => new ReactorHboneRequest(stream, facts),
        abandon: (request) => request.abandon(),
        watches: false,
      },
      options,
    )
  }

  /** Takes over an accepted connection of the reactor. */
  accept(connection: ReactorConnection): void {
    const { remote, local } = connection
    this.take(connection, remote === undefined || local === undefined ? undefined : { remote, local })
  }
}

/** A certificate that does not come must not hold the place of a handshake. */
async function inTime(
  certificate: ReactorServerComponents['certificate'],
  connection: ReactorConnection,
  clock: Clock,
  timeoutMs: number,
): Promise<WorkloadCertificate> {
  const asked = certificate()
  if (!(asked instanceof Promise)) return asked
  const late = Promise.withResolvers<never>()
  const giveUp = (why: string): void => late.reject(new Error(why))
  using _timer = clock.after(timeoutMs, () => giveUp(`no certificate of our own within ${timeoutMs} ms`))
  const stopWatching = connection.onGone(() => giveUp('the connection was closed during the handshake'))
  try {
    return await Promise.race([asked, late.promise])
  } catch (cause) {
    connection.cut()
    throw new HboneTlsError(`TLS handshake failed: ${messageOf(cause)}`, { cause })
  } finally {
    stopWatching()
  }
}
