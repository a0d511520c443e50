import type { SocketAddress } from '@ambit/core'
import type { HeaderMap, ServerStream } from './engine.types.ts'
import type { PeerIdentity, TlsFacts } from './tls.types.ts'
import type { ConnectionFacts } from './tunnel-server.ts'

/** One CONNECT with who asks, to be answered once: accept it or reject it. */
export class TunnelRequest<Stream, Source extends ServerStream<Stream> = ServerStream<Stream>>
  implements ServerStream<Stream>
{
  protected readonly stream: Source
  readonly #facts: ConnectionFacts

  constructor(stream: Source, facts: ConnectionFacts) {
    this.stream = stream
    this.#facts = facts
  }

  get method(): string {
    return this.stream.method
  }

  get authority(): string | undefined {
    return this.stream.authority
  }

  /** Neither `:scheme` nor `:path` nor `:protocol` (T3). */
  get isPlainConnect(): boolean {
    return this.stream.isPlainConnect
  }

  get headers(): HeaderMap {
    return this.stream.headers
  }

  /** Aborts when the stream is gone. */
  get signal(): AbortSignal {
    return this.stream.signal
  }

  /** Calls once or twice when the stream is gone, at once if it is; answers how to stop that. Cheaper than a signal. */
  onGone(listener: () => void): () => void {
    return this.stream.onGone(listener)
  }

  get peer(): PeerIdentity {
    return this.#facts.peer
  }

  get remote(): SocketAddress {
    return this.#facts.remote
  }

  get local(): SocketAddress {
    return this.#facts.local
  }

  get tls(): TlsFacts {
    return this.#facts.tls
  }

  /** Answers 200 and hands over the payload. */
  accept(headers: Readonly<Record<string, string>> = {}): Stream {
    return this.stream.accept(headers)
  }

  reject(status: number): void {
    this.stream.reject(status)
  }
}
