import type { Duplex } from 'node:stream'
import type { Clock, Ip, SocketAddress } from '@ambit/core'
import { splice } from '@ambit/hbone'
import { type AttemptOutcome, judgeRetry, type RetryPolicy, retryDelayMs, retryPolicyOf } from '@ambit/route'
import { AttemptEnd, type Ending } from './attempt-end.ts'
import { GrpcMessageCounter } from './http/grpc-messages.ts'
import { headerBytes, headerOf, withHeader } from './http/headers.ts'
import { pump } from './http/pump.ts'
import { RequestBody } from './http/request-body.ts'
import { CLIENT_SHARES, MAX_UPSTREAM_REQUESTS } from './limits.ts'
import {
  ATTEMPT_TIMEOUT,
  CLUSTER_NOT_FOUND,
  type LocalReply,
  NO_HEALTHY_UPSTREAM,
  OVERFLOW,
  REQUEST_TIMEOUT,
  replyOfFailure,
} from './local-reply.ts'
import type { Mirrors } from './mirror.ts'
import type { OpenConnections } from './open-connections.ts'
import type { Downstream, RequestState, Upstream } from './request.types.ts'
import { answerHeaders, sendLocalReply } from './respond.ts'
import { Shares } from './shares.ts'
import type { EndpointChoice } from './upstream/endpoint-choice.ts'
import { UpstreamError } from './upstream/errors.ts'
import { noteHealth } from './upstream/note-health.ts'
import type { UpstreamAnswer, UpstreamCall, UpstreamRequest } from './upstream/upstream.types.ts'
import type { UpstreamPools } from './upstream/upstream-pools.ts'

export interface ForwarderComponents {
  readonly pools: UpstreamPools
  readonly endpoints: EndpointChoice
  readonly mirrors: Mirrors
  readonly open: OpenConnections
  readonly clock: Clock
  readonly random: () => number
}

type AttemptResult =
  | {
      readonly kind: 'answer'
      readonly answer: UpstreamAnswer
      readonly call: UpstreamCall
      readonly sentMs: number
      readonly release: () => void
    }
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly error: UpstreamError }
  | { readonly kind: 'ended'; readonly ending: Ending }

/** The last step: sends the request to an endpoint, again where that may help, and the answer to the client. */
export class Forwarder {
  readonly #components: ForwarderComponents
  readonly #places = new Shares<Ip>(MAX_UPSTREAM_REQUESTS, CLIENT_SHARES)

  constructor(components: ForwarderComponents) {
    this.#components = components
  }

  /** Resolves when the client has all of the answer, or is gone. Never rejects. */
  async forward(state: RequestState): Promise<void> {
    const { ip: client } = state.downstream.remote
    if (this.#places.enter(client) !== undefined) {
      sendLocalReply(state, OVERFLOW)
      return
    }
    try {
      await new Forwarding(state, this.#components).run()
    } finally {
      this.#places.leave(client)
    }
  }
}

class Forwarding {
  readonly #state: RequestState
  readonly #components: ForwarderComponents
  readonly #policy: RetryPolicy
  readonly #body: RequestBody
  readonly #tried = new Set<string>()
  readonly #requestMessages: GrpcMessageCounter | undefined
  /** Uid of the workload the last attempt went to. */
  #endpoint: string | undefined
  #endRetries: (() => void) | undefined
  /** Of the attempt under way. */
  #attemptEnd: AttemptEnd | undefined
  #ended: Ending | undefined
  #onEnded: (() => void) | undefined
  #timer: Disposable | undefined

  constructor(state: RequestState, components: ForwarderComponents) {
    const { record, exchange, route } = state
    this.#state = state
    this.#components = components
    this.#policy = retryPolicyOf(route)
    this.#requestMessages = record.isGrpc ? new GrpcMessageCounter() : undefined
    this.#body = new RequestBody(exchange, (chunk) => {
      record.receivedBytes += chunk.length
      this.#requestMessages?.take(chunk)
    })
  }

  async run(): Promise<void> {
    const { exchange, upstream, mirrors, route, outgoing } = this.#state
    if (upstream === undefined || outgoing === undefined) {
      sendLocalReply(this.#state, CLUSTER_NOT_FOUND)
      return
    }
    exchange.onGone(() => this.#end('client-gone'))
    if (exchange.isGone) this.#end('client-gone')
    const timeoutMs = route?.requestTimeoutMs
    if (timeoutMs !== undefined && timeoutMs > 0) {
      // Envoy: the clock starts when the client has said all.
      void this.#body.complete.then(() => {
        if (this.#ended === undefined)
          this.#timer = this.#components.clock.after(timeoutMs, () => this.#end('request-timeout'))
      })
    }
    if (mirrors !== undefined && mirrors.length > 0) this.#components.mirrors.send(this.#state, this.#body)
    try {
      await this.#attempts(upstream)
    } finally {
      this.#timer?.[Symbol.dispose]()
      this.#endRetries?.()
      const { record } = this.#state
      if (this.#requestMessages !== undefined) record.requestMessages = this.#requestMessages.count
    }
  }

  /** One after the other, until one is answered, or no other may follow. */
  async #attempts(upstream: Upstream): Promise<void> {
    const { record } = this.#state
    for (let made = 1; ; made++) {
      const result = await this.#attempt(upstream, made)
      const outcome = outcomeOf(result)
      noteHealth(this.#state.treated, this.#endpoint, outcome)
      const facts = { made, bodyRepeatable: this.#body.isRepeatable }
      const verdict =
        outcome === undefined || this.#ended !== undefined ? undefined : judgeRetry(this.#policy, outcome, facts)
      const mayRetry = verdict?.retry === true && this.#mayRetry()
      if (!mayRetry) {
        if (verdict?.retry === false && verdict.reason === 'attempts-used-up' && this.#policy.attempts > 0)
          record.flag('URX')
        return await this.#conclude(result)
      }
      if (result.kind === 'answer') {
        result.call.cancel()
        result.release()
      }
      this.#body.detach()
      await this.#components.clock.sleep(retryDelayMs(this.#policy, made, this.#components.random))
    }
  }

  /** One place for all retries of the request. */
  #mayRetry(): boolean {
    const breaker = this.#state.treated?.cluster.breaker
    this.#endRetries ??= breaker === undefined ? () => undefined : breaker.beginRetry()
    return this.#endRetries !== undefined
  }

  async #attempt(upstream: Upstream, made: number): Promise<AttemptResult> {
    const { endpoints, pools, clock } = this.#components
    const { downstream, record, settings, route, treated } = this.#state
    if (this.#ended !== undefined) return { kind: 'ended', ending: this.#ended }
    const endpoint = await endpoints.choose(upstream, downstream, this.#tried, treated)
    if (endpoint.kind === 'refused') {
      record.transportFailure = undefined
      record.details = endpoint.message
      return { kind: 'refused' }
    }
    const uid = endpoint.kind === 'direct' ? endpoint.workload.uid : undefined
    this.#endpoint = uid
    if (uid !== undefined) this.#tried.add(uid)
    record.upstreamHost = hostOf(endpoint)
    record.upstreamCluster = clusterOf(upstream, downstream)
    record.endpoint = endpoint.kind === 'passthrough' ? undefined : endpoint.workload
    record.waypoint = endpoint.kind === 'waypoint' ? endpoint.workload : undefined
    const over = uid === undefined ? () => undefined : endpoints.begin(uid)
    let leave: (() => void) | undefined
    const release = (): void => {
      over()
      leave?.()
    }
    const end = new AttemptEnd()
    this.#attemptEnd = end
    const tryTimeoutMs = route?.backendTimeoutMs
    using _limit =
      tryTimeoutMs === undefined || tryTimeoutMs === 0
        ? undefined
        : clock.after(tryTimeoutMs, () => end.end('attempt-timeout'))
    let call: UpstreamCall | undefined
    try {
      const version = this.#version(upstream)
      leave = await treated?.cluster.breaker.enter(version, () => end.signal)
      const request = this.#request(made, version)
      call = await pools.call(
        endpoint,
        request,
        {
          version,
          connectTimeoutMs: treated?.cluster.treatment.connectTimeoutMs ?? settings.connectTimeoutMs,
          maxRequests: treated?.cluster.treatment.maxRequestsPerConnection,
          get signal() {
            return end.signal
          },
        },
        {
          onInform: (head) => this.#state.exchange.inform(head),
        },
      )
      const sentMs = clock.monotonic()
      this.#body.sendTo(call)
      const answer = await end.until(call.answer)
      return { kind: 'answer', answer, call, sentMs, release }
    } catch (error) {
      call?.cancel()
      this.#body.detach()
      release()
      if (end.ending !== undefined) return { kind: 'ended', ending: end.ending }
      if (error instanceof UpstreamError) return { kind: 'failed', error }
      return {
        kind: 'failed',
        error: new UpstreamError('connect-failed', String(error), { cause: error, sent: false }),
      }
    }
  }

  /** HTTP/2 where the port declares it, or where nothing is declared and the client speaks it (Istio). */
  #version({ protocol }: Upstream): 'HTTP/1.1' | 'HTTP/2' {
    if (protocol === 'http2' || protocol === 'grpc') return 'HTTP/2'
    if (protocol === 'http') return 'HTTP/1.1'
    // What clients outside the mesh speak says nothing about an application.
    if (this.#state.downstream.kind === 'gateway') return 'HTTP/1.1'
    return this.#state.exchange.head.version === 'HTTP/2' ? 'HTTP/2' : 'HTTP/1.1'
  }

  #request(made: number, version: 'HTTP/1.1' | 'HTTP/2'): UpstreamRequest {
    const { exchange, outgoing, route } = this.#state
    const { head } = exchange
    const { authority = '', path = '', query = '', headers = [] } = outgoing ?? {}
    let lines = withHeader(headers, 'x-envoy-attempt-count', String(made))
    if (route?.requestTimeoutMs !== undefined)
      lines = withHeader(lines, 'x-envoy-expected-rq-timeout-ms', String(route.requestTimeoutMs))
    return {
      method: head.method,
      scheme: this.#state.treated?.cluster.treatment.tls === undefined ? 'http' : 'https',
      authority,
      target: query === '' ? path : `${path}?${query}`,
      headers: version === 'HTTP/1.1' ? joinCookies(lines) : lines,
      isBodiless: head.isBodiless,
      upgrade: head.upgrade,
    }
  }

  async #conclude(result: AttemptResult): Promise<void> {
    this.#body.forget()
    switch (result.kind) {
      case 'answer':
        return await this.#answer(result)
      case 'refused':
        return this.#reply(NO_HEALTHY_UPSTREAM)
      case 'failed':
        return this.#reply(replyOfFailure(result.error))
      case 'ended':
        if (result.ending === 'client-gone') return this.#clientGone()
        return this.#reply(result.ending === 'request-timeout' ? REQUEST_TIMEOUT : ATTEMPT_TIMEOUT)
    }
  }

  #reply(reply: LocalReply): void {
    sendLocalReply(this.#state, reply)
  }

  #clientGone(): void {
    const { record } = this.#state
    record.flag('DC')
    record.details = 'downstream_remote_disconnect'
  }

  /** Hands the endpoint's answer to the client. */
  async #answer({ answer, call, sentMs, release }: Extract<AttemptResult, { kind: 'answer' }>): Promise<void> {
    const { exchange, record } = this.#state
    const { clock } = this.#components
    record.upstreamMs = clock.monotonic() - sentMs
    record.status = answer.status
    record.details = 'via_upstream'
    const headers = answerHeaders(this.#state, answer, record.upstreamMs)
    record.responseHeaderBytes = headerBytes(headers)
    record.grpcStatus = grpcStatusIn(answer.headers)
    try {
      if (answer.upgraded !== undefined) {
        await this.#upgraded(exchange.upgraded({ status: answer.status, headers }), answer.upgraded)
        return
      }
      exchange.respond({ status: answer.status, headers }, { bodiless: answer.bodiless })
      if (answer.bodiless) answer.body.discard()
      else await this.#stream(answer)
      // A client that still sends what nobody wants, and an endpoint that is done.
      if (!this.#body.hasEnded) this.#body.discard()
    } catch (error) {
      // Nobody would read the rest of it.
      call.cancel()
      throw error
    } finally {
      if (this.#ended !== undefined || !this.#body.hasEnded) call.cancel()
      release()
    }
  }

  async #upgraded(client: Duplex, server: Duplex): Promise<void> {
    const { record, downstream, facts } = this.#state
    const counters = { aToB: 0, bToA: 0 }
    using _open = facts && this.#components.open.add({ facts, downstream, record, streams: () => [client, server] })
    record.copying = counters
    await splice(client, server, { counters })
    record.copying = undefined
    record.receivedBytes += counters.aToB
    record.sentBytes += counters.bToA
  }

  async #stream(answer: UpstreamAnswer): Promise<void> {
    const { exchange, record } = this.#state
    const messages = record.isGrpc ? new GrpcMessageCounter() : undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onEnded = () => {
      if (this.#ended === 'client-gone') this.#clientGone()
      else {
        record.flag('UT')
        record.details = 'response_timeout'
        exchange.reset()
      }
      resolve()
    }
    if (this.#ended !== undefined) this.#onEnded()
    pump(answer.body, exchange.out, {
      onData: (chunk) => {
        record.sentBytes += chunk.length
        messages?.take(chunk)
      },
      onEnd: () => {
        const trailers = answer.trailers()
        record.grpcStatus = grpcStatusIn(trailers) ?? record.grpcStatus
        exchange.end(trailers)
        resolve()
      },
      onSourceFailure: () => {
        if (this.#ended === undefined) {
          // The client's end is of our making.
          this.#onEnded = undefined
          record.flag('UC')
          record.details = 'upstream_reset_after_response_started{connection_termination}'
          exchange.reset()
        }
        resolve()
      },
    })
    await promise
    this.#onEnded = undefined
    if (messages !== undefined) record.responseMessages = messages.count
  }

  #end(ending: Ending): void {
    if (this.#ended !== undefined) return
    this.#ended = ending
    this.#attemptEnd?.end(ending)
    this.#onEnded?.()
  }
}

function outcomeOf(result: AttemptResult): AttemptOutcome | undefined {
  switch (result.kind) {
    case 'answer':
      return { kind: 'answer', status: result.answer.status, grpcStatus: grpcStatusIn(result.answer.headers) }
    case 'ended':
      return result.ending === 'attempt-timeout' ? { kind: 'timeout' } : undefined
    case 'refused':
      return undefined
    case 'failed':
      switch (result.error.failure) {
        case 'connect-failed':
        case 'connect-timeout':
          return { kind: 'connect-failure' }
        case 'refused-stream':
          return { kind: 'refused-stream' }
        case 'overflow':
          return undefined
        default:
          return { kind: 'reset', sent: result.error.sent }
      }
  }
}

/** Of all others the labels of metrics would be as many as an endpoint likes. */
const MAX_GRPC_STATUS = 16
const GRPC_UNKNOWN = 2

function grpcStatusIn(headers: readonly string[]): number | undefined {
  const text = headerOf(headers, 'grpc-status')
  if (text === undefined || !/^\d{1,3}$/.test(text)) return undefined
  return Number(text) <= MAX_GRPC_STATUS ? Number(text) : GRPC_UNKNOWN
}

function hostOf(endpoint: {
  readonly to: SocketAddress
  readonly authority?: SocketAddress | undefined
}): SocketAddress {
  return endpoint.authority ?? endpoint.to
}

function clusterOf({ to, rules }: Upstream, { kind }: Downstream): string {
  if (kind === 'gateway' && to.kind === 'service')
    return `outbound|${to.port}|${rules?.subset ?? ''}|${to.service.hostname}`
  return to.kind === 'service'
    ? `inbound-vip|${to.port}|http|${to.service.hostname}`
    : `inbound-vip|${to.port}|http|${to.workload.name}`
}

/** HTTP/2 may split them into lines, HTTP/1.1 may not (RFC 9113 §8.2.3). */
function joinCookies(headers: readonly string[]): readonly string[] {
  const cookies: string[] = []
  for (let index = 0; index < headers.length; index += 2)
    if (headers[index] === 'cookie') cookies.push(headers[index + 1] ?? '')
  return cookies.length < 2 ? headers : withHeader(headers, 'cookie', cookies.join('; '))
}
