import type { SocketAddress } from '@ambit/core'
import type { HboneRequest, HeaderMap, PeerIdentity, TlsFacts } from '@ambit/hbone'
import { CONNECT_TIMEOUT_MS } from '../limits.ts'
import type { AcceptedConnect, ConnectAnswer, Flow, PathDial, RunningCopy } from './data-path.types.ts'
import { copyStreams, cuttable } from './stream-copy.ts'
import type { StreamContext } from './stream-data-path.ts'

/** A CONNECT over one of Node's sockets. */
export class StreamConnect implements AcceptedConnect {
  readonly #request: HboneRequest
  readonly #context: StreamContext

  constructor(request: HboneRequest, context: StreamContext) {
    this.#request = request
    this.#context = context
  }

  get method(): string {
    return this.#request.method
  }

  get authority(): string | undefined {
    return this.#request.authority
  }

  get isPlainConnect(): boolean {
    return this.#request.isPlainConnect
  }

  get headers(): HeaderMap {
    return this.#request.headers
  }

  get peer(): PeerIdentity {
    return this.#request.peer
  }

  get remote(): SocketAddress {
    return this.#request.remote
  }

  get local(): SocketAddress {
    return this.#request.local
  }

  get tls(): TlsFacts {
    return this.#request.tls
  }

  onGone(listener: () => void): () => void {
    return this.#request.onGone(listener)
  }

  reject(status: number): void {
    this.#request.reject(status)
  }

  async serve({ to, from }: PathDial, { headers, prefix }: ConnectAnswer, flow: Flow): Promise<RunningCopy> {
    const { sockets, slabs } = this.#context
    const { cut } = flow
    const app = await sockets.dial({
      to,
      from,
      allowHalfOpen: true,
      timeoutMs: CONNECT_TIMEOUT_MS,
      signal: cut.signal,
    })
    cut.owns(cuttable(app))
    cut.throwIfCut()
    const stream = this.#request.accept(headers)
    cut.owns(cuttable(stream))
    if (prefix !== undefined) app.write(prefix)
    return copyStreams(stream, app, slabs, flow)
  }
}
