import type { Clock, Ip, Logger, SocketAddress, SocketFactory, SpiffeId } from '@ambit/core'
import type { HeaderMap, KeyExchangeGroup, OpenRequest, PeerIdentity, TlsFacts } from '@ambit/hbone'
import type { WorkloadCertificate } from '@ambit/identity'
import type { DescriptorFactory } from '@ambit/linux'
import type { Cut } from '../cut.ts'
import type { Bytes } from './bytes.ts'

/** What moves the bytes of a process. Whom it connects, and what is told about it, is decided by the same code for all of them. */
export interface DataPath extends AsyncDisposable {
  readonly name: 'node' | 'reactor'
  /** No workload of this node has the identity any more: nothing of its certificate is to be kept. */
  forget(identity: SpiffeId): void
  /** The part of one pod. */
  forPod(components: PodPathComponents, options: PodPathOptions): PodPath
}

export interface PodPathComponents {
  readonly sockets: SocketFactory
  /** The same namespace, for those who have no use for Node's sockets. */
  readonly descriptors: DescriptorFactory
  /** Of workloads of the pod that open tunnels. */
  readonly certificate: (identity: SpiffeId, signal?: AbortSignal) => Promise<WorkloadCertificate>
  /** That peers' connections are answered with. Asked for each, so that a new one serves the next. */
  readonly ownCertificate: () => Promise<WorkloadCertificate>
  readonly onConnect: (connect: AcceptedConnect) => void
  readonly onTlsError: (error: Error, remote: SocketAddress | undefined) => void
  readonly clock: Clock
  readonly logger: Logger
}

export interface PodPathOptions {
  /** In order of preference; by default those of `hbone`. */
  readonly keyExchangeGroups?: readonly KeyExchangeGroup[] | undefined
  readonly maxStreamsPerConnection: number
  readonly idleReleaseMs: number
}

/** Sockets, tunnels and copies of one pod. */
export interface PodPath {
  /** Hands over what arrives at a port that applications' connections are redirected to. */
  listen(options: PathListenOptions, onConnection: (connection: CapturedConnection) => void): Promise<PathListener>
  /** Peers' connections; their CONNECTs come as `onConnect`. */
  listenForPeers(options: PathListenOptions): Promise<PathListener>
  /** Resolves when what waited in the listeners' queues has been handed over. */
  untilTaken(): Promise<void>
  /** Peers are told to open nothing new; resolves when the last of their connections is gone, by the deadline forcibly. */
  drain(deadlineMs: number): Promise<void>
  /** Connections between peers end at once, and with them everything in them. */
  close(): Promise<void>
}

export interface PathListenOptions {
  readonly ip: Ip
  readonly port: number
  readonly reusePort: boolean
  /** Best effort IP_TRANSPARENT. */
  readonly transparent: boolean
}

export interface PathListener {
  /** New connections go to whoever came to the port later. False where it is not shared. */
  preferNewer(): boolean
  close(): void
}

/** Something with an end that nobody takes for the end of the data. */
export interface Cuttable {
  /** RST, RST_STREAM CANCEL. */
  cut(): void
}

/** A connection of an application or of a client, held back: nothing of it is lost until it is known where it goes. */
export interface CapturedConnection extends Cuttable {
  readonly source: SocketAddress
  /** Where it was going before it was redirected. */
  readonly target: SocketAddress
  /** Our end. */
  readonly local: SocketAddress | undefined
  /** Calls once when it is gone, unless stopped by what is answered. */
  onGone(listener: () => void): () => void
  /**
   * Resets what can't be served: refused is not finished, and an orderly end would read as an empty answer (curl's exit code 52 instead
   * of 56). But not before the client has said something or has had a moment: a reset that overtakes the return of its connect() would read
   * as if nobody listened (exit code 7).
   */
  refuse(): Promise<void>
  /** Asks a peer for a tunnel, and copies as soon as that is granted. Rejects when it is not; then the connection is as it was. */
  tunnel(request: TunnelRequest, flow: Flow): Promise<TunnelledCopy>
  /** The same without a tunnel. */
  forward(dial: PathDial, flow: Flow): Promise<RunningCopy>
}

/** A CONNECT of a peer, to be answered once. */
export interface AcceptedConnect {
  readonly method: string
  readonly authority: string | undefined
  /** Neither `:scheme` nor `:path` nor `:protocol`. */
  readonly isPlainConnect: boolean
  readonly headers: HeaderMap
  readonly peer: Pick<PeerIdentity, 'identity'>
  readonly remote: SocketAddress
  readonly local: SocketAddress
  readonly tls: TlsFacts
  /** Calls once or twice when the stream is gone, at once if it is, unless stopped by what is answered. */
  onGone(listener: () => void): () => void
  reject(status: number): void
  /** Connects to the application, answers 200, and copies. Rejects, unanswered, when there is no application. */
  serve(dial: PathDial, answer: ConnectAnswer, flow: Flow): Promise<RunningCopy>
}

export interface ConnectAnswer {
  readonly headers: Readonly<Record<string, string>>
  /** What the application gets before the payload. */
  readonly prefix: Uint8Array | undefined
}

export type TunnelRequest = Omit<OpenRequest, 'signal'>

export interface PathDial {
  readonly to: SocketAddress
  /** Address to appear with, perhaps a foreign one. */
  readonly from?: Ip | undefined
}

/** What one connection is counted in and ended by, through all its phases. */
export interface Flow {
  readonly bytes: Bytes
  /** Owns the connection it came by; ends whatever is connected or copied then. */
  readonly cut: Cut
}

/** Bytes go both ways until both directions have ended. */
export interface RunningCopy {
  /** Never rejects: the reason why the data is not complete. */
  readonly over: Promise<Error | undefined>
}

export interface TunnelledCopy extends RunningCopy {
  readonly peer: SpiffeId
  readonly tls: TlsFacts
}
