import type { Socket } from 'node:net'
import { type Clock, type Logger, parseIp, type SocketAddress } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import type { KeyExchangeGroup } from './defaults.ts'
import type { Engine, ServeOptions, ServerStream, TunnelStream } from './engine.types.ts'
import { nodeHttp2Engine } from './node-http2-engine.ts'
import { cut } from './reset.ts'
import { SecureServer } from './secure-server.ts'
import { TunnelRequest } from './tunnel-request.ts'
import { TunnelServer, type TunnelServerOptions } from './tunnel-server.ts'

/** One CONNECT, to be answered once: accept it or reject it. */
export type HboneRequest = Pick<TunnelRequest<TunnelStream>, keyof TunnelRequest<TunnelStream>>

export interface HboneServerComponents {
  /** Asked for each connection, so that a new certificate serves the next one. */
  readonly certificate: () => Promise<WorkloadCertificate> | WorkloadCertificate
  /** Should it fail, the request is answered 503, or its tunnel is reset if it was accepted already. */
  readonly onRequest: (request: HboneRequest) => void | Promise<void>
  readonly onTlsError: (error: Error, remote: SocketAddress | undefined) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly engine?: Engine | undefined
}

export interface HboneServerOptions extends TunnelServerOptions, ServeOptions {
  /** In order of preference; by default {@link KEY_EXCHANGE_GROUPS}. */
  readonly keyExchangeGroups?: readonly KeyExchangeGroup[] | undefined
}

/** HBONE for one workload, over sockets of Node and one of the engines. */
export class HboneServer extends TunnelServer<Socket, ServerStream, Request> {
  constructor(components: HboneServerComponents, options: HboneServerOptions = {}) {
    const { engine = nodeHttp2Engine } = components
    const secureServer = new SecureServer(components, options.keyExchangeGroups)
    super(
      {
        ...components,
        secure: async (socket, timeoutMs) => {
          const { tls, peer, facts } = await secureServer.secure(socket, timeoutMs)
          return {
            peer,
            facts,
            serve: (onStream) => engine.serve(tls, onStream, options),
            destroy: () => void tls.destroy(),
          }
        },
        destroy: (socket) => void socket.destroy(),
        request: (stream, facts) => new Request(stream, facts),
        abandon: (request) => request.abandon(),
        watches: true,
      },
      options,
    )
  }

  /** Takes over a socket, which must not be half-open capable: that would hide the peer's death. */
  accept(socket: Socket): void {
    socket.on('error', () => undefined)
    const remote = addressOf(socket.remoteAddress, socket.remotePort)
    const local = addressOf(socket.localAddress, socket.localPort)
    // T26: the peer may be gone right after accept.
    const ends = remote === undefined || local === undefined ? undefined : { remote, local }
    if (ends !== undefined) socket.setNoDelay(true)
    this.take(socket, ends)
  }
}

class Request extends TunnelRequest<TunnelStream> {
  #tunnel: TunnelStream | undefined

  override accept(headers: Readonly<Record<string, string>> = {}): TunnelStream {
    this.#tunnel = super.accept(headers)
    return this.#tunnel
  }

  /** Its handler has failed: nobody would ever end what was accepted. */
  abandon(): void {
    if (this.#tunnel === undefined) this.reject(503)
    else cut(this.#tunnel)
  }
}

function addressOf(ip: string | undefined, port: number | undefined): SocketAddress | undefined {
  const parsed = parseIp(ip?.split('%', 1)[0] ?? '')
  return parsed === undefined || port === undefined ? undefined : { ip: parsed, port }
}
