import { type Clock, type Logger, messageOf } from '@ambit/core'
import type { Mirror, Service } from '@ambit/state'
import { keepPiece } from './http/kept-piece.ts'
import type { RequestBody } from './http/request-body.ts'
import { MAX_MIRROR_BACKLOG_BYTES, MAX_MIRRORED_REQUESTS, MIRROR_TIMEOUT_MS } from './limits.ts'
import type { RequestState, Upstream } from './request.types.ts'
import type { Clusters } from './upstream/clusters.ts'
import type { EndpointChoice } from './upstream/endpoint-choice.ts'
import type { UpstreamCall } from './upstream/upstream.types.ts'
import type { UpstreamPools } from './upstream/upstream-pools.ts'

export interface MirrorComponents {
  readonly pools: UpstreamPools
  readonly endpoints: EndpointChoice
  readonly clusters: Clusters
  readonly service: (key: string) => Service | undefined
  readonly clock: Clock
  readonly logger: Logger
}

/** Sends copies of requests, whose answers nobody reads. A mirror never makes the request itself wait or fail. */
export class Mirrors {
  readonly #components: MirrorComponents
  #active = 0

  constructor(components: MirrorComponents) {
    this.#components = components
  }

  send(state: RequestState, body: RequestBody): void {
    if (state.exchange.head.upgrade !== undefined) return
    for (const mirror of state.mirrors ?? []) {
      if (this.#active >= MAX_MIRRORED_REQUESTS) return
      this.#active++
      void this.#copy(state, mirror, body)
        .catch((error: unknown) =>
          this.#components.logger.debug('mirrored request failed', { error: messageOf(error) }),
        )
        .finally(() => this.#active--)
    }
  }

  async #copy(state: RequestState, { backend }: Mirror, body: RequestBody): Promise<void> {
    const { pools, endpoints, clusters, service, clock } = this.#components
    const copy = new BufferedCopy()
    body.copyTo(copy)
    const found = service(backend.service)
    if (found === undefined) return
    const upstream: Upstream = {
      to: { kind: 'service', service: found, port: backend.port, isAddressed: false },
      protocol: backend.protocol,
      backend,
      rules: backend,
    }
    const verdict = clusters.find({ service: found, port: backend.port }, backend)
    if (verdict.kind === 'missing' || verdict.kind === 'refused') return
    const treated = verdict.kind === 'found' ? { cluster: verdict.cluster, hashKey: undefined } : undefined
    const endpoint = await endpoints.choose(upstream, state.downstream, new Set(), treated)
    if (endpoint.kind === 'refused') return
    const { head } = state.exchange
    const { authority = head.authority, path = '', query = '', headers = [] } = state.outgoing ?? {}
    const abort = new AbortController()
    const isHttp2 =
      backend.protocol === 'http2' ||
      backend.protocol === 'grpc' ||
      (backend.protocol === 'unknown' && head.version === 'HTTP/2' && state.downstream.kind === 'tunnel')
    const options = {
      version: isHttp2 ? 'HTTP/2' : 'HTTP/1.1',
      connectTimeoutMs: state.settings.connectTimeoutMs,
      signal: abort.signal,
    } as const
    const request = {
      method: head.method,
      scheme: 'http',
      authority,
      target: query === '' ? path : `${path}?${query}`,
      headers,
      isBodiless: head.isBodiless,
      upgrade: undefined,
    }
    const call = await pools.call(endpoint, request, options, { onInform: () => undefined })
    using _limit = clock.after(MIRROR_TIMEOUT_MS, () => call.cancel())
    copy.sendTo(call)
    try {
      const answer = await call.answer
      const { promise, resolve } = Promise.withResolvers<void>()
      if (answer.bodiless) {
        answer.body.discard()
        resolve()
      } else answer.body.read({ onData: () => undefined, onEnd: resolve, onFailure: () => resolve() })
      await promise
    } finally {
      if (!copy.isDone) call.cancel()
    }
  }
}

/** Holds what its mirror has not taken yet, and gives up when that is too much. */
class BufferedCopy {
  #waiting: Buffer[] | undefined = []
  #bytes = 0
  #call: UpstreamCall | undefined
  #trailers: readonly string[] | undefined
  #aborted = false

  get isDone(): boolean {
    return this.#trailers !== undefined && !this.#aborted
  }

  write(chunk: Buffer): void {
    if (this.#aborted) return
    if (this.#call === undefined) {
      this.#bytes += chunk.length
      if (this.#waiting !== undefined) keepPiece(this.#waiting, chunk)
    } else this.#call.body.write(chunk)
    const backlog = this.#call === undefined ? this.#bytes : this.#call.body.backlog
    if (backlog > MAX_MIRROR_BACKLOG_BYTES) this.abort()
  }

  end(trailers: readonly string[]): void {
    this.#trailers = trailers
    if (!this.#aborted) this.#call?.endBody(trailers)
  }

  abort(): void {
    this.#aborted = true
    this.#waiting = undefined
    this.#call?.cancel()
  }

  sendTo(call: UpstreamCall): void {
    this.#call = call
    if (this.#aborted) {
      call.cancel()
      return
    }
    for (const chunk of this.#waiting ?? []) call.body.write(chunk)
    this.#waiting = undefined
    if (this.#trailers !== undefined) call.endBody(this.#trailers)
  }
}
