import type { SocketAddress } from '@ambit/core'
import type { HeaderMap, PeerIdentity, ReactorHboneRequest, TlsFacts } from '@ambit/hbone'
import type { DescriptorFactory } from '@ambit/linux'
import { CONNECT_TIMEOUT_MS } from '../limits.ts'
import type { AcceptedConnect, ConnectAnswer, Flow, PathDial, RunningCopy } from './data-path.types.ts'
import { running } from './reactor-captured.ts'
import { dialByReactor } from './reactor-dial.ts'

/** A CONNECT that a worker holds. */
export class ReactorAccepted implements AcceptedConnect {
  readonly #request: ReactorHboneRequest
  readonly #descriptors: DescriptorFactory

  constructor(request: ReactorHboneRequest, descriptors: DescriptorFactory) {
    this.#request = request
    this.#descriptors = descriptors
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

  async serve(dial: PathDial, answer: ConnectAnswer, flow: Flow): Promise<RunningCopy> {
    const { signal } = flow.cut
    const options = { ...answer, to: dial.to, timeoutMs: CONNECT_TIMEOUT_MS, signal }
    const { copy } = await dialByReactor(this.#descriptors, dial, signal, (fd) =>
      this.#request.acceptAndConnect(fd, options),
    )
    return running(copy, flow)
  }
}
