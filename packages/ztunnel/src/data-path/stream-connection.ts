import type { Socket } from 'node:net'
import type { SocketAddress } from '@ambit/core'
import { cut } from '@ambit/hbone'
import { type Captured, endpoint } from '../captured.ts'
import { CONNECT_TIMEOUT_MS } from '../limits.ts'
import { refuse } from '../refuse.ts'
import type {
  CapturedConnection,
  Flow,
  PathDial,
  RunningCopy,
  TunnelledCopy,
  TunnelRequest,
} from './data-path.types.ts'
import { copyStreams, cuttable } from './stream-copy.ts'
import type { StreamContext } from './stream-data-path.ts'

/** A socket of Node, paused until it is copied. */
export class StreamConnection implements CapturedConnection {
  readonly source: SocketAddress
  readonly target: SocketAddress
  readonly #socket: Socket
  readonly #context: StreamContext

  constructor(socket: Socket, { source, target }: Captured, context: StreamContext) {
    this.#socket = socket
    this.#context = context
    this.source = source
    this.target = target
  }

  get local(): SocketAddress | undefined {
    return endpoint(this.#socket.localAddress, this.#socket.localPort)
  }

  onGone(listener: () => void): () => void {
    this.#socket.once('close', listener)
    return () => this.#socket.off('close', listener)
  }

  cut(): void {
    cut(this.#socket)
  }

  async refuse(): Promise<void> {
    await refuse(this.#socket, this.#context.clock)
  }

  async tunnel(request: TunnelRequest, flow: Flow): Promise<TunnelledCopy> {
    const { pool, slabs } = this.#context
    const { stream, peer, tls } = await pool.open({ ...request, signal: flow.cut.signal })
    flow.cut.owns(cuttable(stream))
    return { peer, tls, ...copyStreams(this.#socket, stream, slabs, flow) }
  }

  async forward({ to, from }: PathDial, flow: Flow): Promise<RunningCopy> {
    const { sockets, slabs } = this.#context
    const { signal } = flow.cut
    const upstream = await sockets.dial({ to, from, allowHalfOpen: true, timeoutMs: CONNECT_TIMEOUT_MS, signal })
    flow.cut.owns(cuttable(upstream))
    return copyStreams(this.#socket, upstream, slabs, flow)
  }
}
