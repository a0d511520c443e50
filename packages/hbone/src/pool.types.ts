import type { X509Certificate } from 'node:crypto'
import type { Clock, Ip, Logger, SocketAddress, SpiffeId } from '@ambit/core'
import type { ClientSession } from './engine.types.ts'
import type { TlsFacts } from './tls.types.ts'

/** What the pool needs of a stream: to hear that it is over. */
export interface PoolStream {
  once(event: 'close', listener: () => void): unknown
}

export interface OpenRequest {
  readonly source: SpiffeId
  readonly sourceIp: Ip
  readonly to: SocketAddress
  /** Identities the server may have; with none nothing is ever opened. */
  readonly expected: readonly SpiffeId[]
  readonly authority: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
}

/** A new connection whose peer is verified. */
export interface Connected<Stream, Session extends ClientSession<Stream> = ClientSession<Stream>> {
  readonly session: Session
  readonly peer: SpiffeId
  readonly facts: TlsFacts
  readonly peerCertificate: X509Certificate | undefined
}

export interface ConnectionPoolComponents<Stream, Session extends ClientSession<Stream>> {
  readonly connect: (request: OpenRequest, signal: AbortSignal) => Promise<Connected<Stream, Session>>
  readonly cut: (stream: Stream) => void
  readonly clock: Clock
  readonly logger: Logger
  /** Whether the pool asks its peers by PING if they live; false where whoever connects does. */
  readonly watches: boolean
}
