import type { Duplex } from 'node:stream'
import { type Clock, messageOf } from '@ambit/core'
import { cut, ReadSlabs, splice } from '@ambit/hbone'
import type { RequestFacts, RequestVerdict } from '@ambit/policy'
import { flagOfFailure } from './local-reply.ts'
import type { OpenConnections } from './open-connections.ts'
import type { Downstream, TunnelTarget } from './request.types.ts'
import { type TcpUpstream, type TcpUpstreamComponents, tcpUpstream } from './tcp-upstream.ts'
import { RequestRecord } from './telemetry/request-record.ts'
import type { TrafficEvents } from './telemetry/traffic-events.ts'
import type { EndpointChoice } from './upstream/endpoint-choice.ts'
import { UpstreamError } from './upstream/errors.ts'
import type { UpstreamPools } from './upstream/upstream-pools.ts'

export interface TcpProxyComponents extends TcpUpstreamComponents {
  readonly judge: (policies: readonly string[], facts: RequestFacts) => RequestVerdict
  readonly endpoints: EndpointChoice
  readonly pools: UpstreamPools
  readonly connectTimeoutMs: () => number
  readonly open: OpenConnections
  readonly events: TrafficEvents
  readonly clock: Clock
}

/** Connections that are no HTTP: policy once, one endpoint, bytes. What is denied or fails is reset. */
export class TcpProxy {
  readonly #components: TcpProxyComponents
  readonly #slabs = new ReadSlabs()

  constructor(components: TcpProxyComponents) {
    this.#components = components
  }

  readonly serve = async (client: Duplex, downstream: Downstream, target: TunnelTarget): Promise<void> => {
    const { judge, events, clock } = this.#components
    const record = new RequestRecord({ wallMs: clock.now(), monotonicMs: clock.monotonic() })
    record.service = target.kind === 'service' ? target.service : undefined
    record.addressed = record.service
    const facts: RequestFacts = {
      sourceIdentity: downstream.peer,
      sourceIp: downstream.remote.ip,
      remoteIp: downstream.remote.ip,
      destinationIp: downstream.destinationIp,
      destinationPort: downstream.destinationPort,
    }
    const verdict = judge(target.destination.authorizationPolicies, facts)
    record.judged = { facts, verdict, policies: target.destination.authorizationPolicies }
    events.judged(downstream, record, verdict)
    events.connectionOpened(downstream, record)
    if (!verdict.allowed) {
      record.connectionDetails = verdict.details
      events.denied(downstream, record, verdict)
      cut(client)
      events.connectionDone(downstream, record)
      return
    }
    try {
      await this.#run(client, downstream, target, record, facts)
    } finally {
      events.connectionDone(downstream, record)
    }
  }

  async #run(
    client: Duplex,
    downstream: Downstream,
    target: TunnelTarget,
    record: RequestRecord,
    facts: RequestFacts,
  ): Promise<void> {
    const { open } = this.#components
    const sides = [client]
    using _open = open.add({ facts, downstream, record, streams: () => sides })
    const gone = new AbortController()
    client.once('close', () => gone.abort())
    const to = tcpUpstream(target, downstream, this.#components)
    if (to.kind === 'refused') {
      record.flag(to.flag)
      record.connectionDetails = to.message
      cut(client)
      return
    }
    const { cluster } = to.treated ?? {}
    let leave: (() => void) | undefined
    try {
      leave = await cluster?.breaker.enter('HTTP/1.1', () => gone.signal)
      await this.#toEndpoint(client, downstream, to, { record, sides, gone: gone.signal })
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      record.flag(flagOfFailure(error.failure))
      record.transportFailure = messageOf(error)
      cut(client)
    } finally {
      leave?.()
    }
  }

  async #toEndpoint(
    client: Duplex,
    downstream: Downstream,
    { upstream, treated }: Extract<TcpUpstream, { kind: 'found' }>,
    { record, sides, gone }: { readonly record: RequestRecord; readonly sides: Duplex[]; readonly gone: AbortSignal },
  ): Promise<void> {
    const { endpoints, pools } = this.#components
    const connectTimeoutMs = treated?.cluster.treatment.connectTimeoutMs ?? this.#components.connectTimeoutMs()
    const endpoint = await endpoints.choose(upstream, downstream, new Set(), treated)
    if (endpoint.kind === 'refused') {
      record.flag('UH')
      record.connectionDetails = endpoint.message
      cut(client)
      return
    }
    record.upstreamHost = endpoint.kind === 'direct' ? (endpoint.authority ?? endpoint.to) : endpoint.to
    record.endpoint = endpoint.kind === 'direct' ? endpoint.workload : undefined
    const release = endpoint.kind === 'direct' ? endpoints.begin(endpoint.workload.uid) : () => undefined
    let server: Duplex
    try {
      server = await pools.connect(endpoint, { connectTimeoutMs, signal: gone })
    } catch (error) {
      release()
      record.flag(error instanceof UpstreamError ? flagOfFailure(error.failure) : 'UF')
      record.transportFailure = messageOf(error)
      cut(client)
      return
    }
    sides.push(server)
    const counters = { aToB: 0, bToA: 0 }
    record.copying = counters
    try {
      const { error } = await splice(client, server, { counters, slabs: this.#slabs })
      if (error !== undefined) record.flag('UC')
    } finally {
      release()
      record.copying = undefined
      record.receivedBytes = counters.aToB
      record.sentBytes = counters.bToA
    }
  }
}
