import type { Duplex } from 'node:stream'
import { type Clock, messageOf } from '@ambit/core'
import { cut, ReadSlabs, splice } from '@ambit/hbone'
import type { RequestFacts, RequestVerdict } from '@ambit/policy'
import { flagOfFailure } from './local-reply.ts'
import type { OpenConnections } from './open-connections.ts'
import type { Downstream, TunnelTarget, Upstream } from './request.types.ts'
import { RequestRecord } from './telemetry/request-record.ts'
import type { TrafficEvents } from './telemetry/traffic-events.ts'
import type { EndpointChoice } from './upstream/endpoint-choice.ts'
import { UpstreamError } from './upstream/errors.ts'
import type { UpstreamPools } from './upstream/upstream-pools.ts'

export interface TcpProxyComponents {
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
    const upstream = upstreamOf(target)
    record.service = target.kind === 'service' ? target.service : undefined
    const facts: RequestFacts = {
      sourceIdentity: downstream.peer,
      sourceIp: downstream.remote.ip,
      remoteIp: downstream.remote.ip,
      destinationIp: downstream.destinationIp,
      destinationPort: downstream.destinationPort,
    }
    const verdict = judge(target.destination.authorizationPolicies, facts)
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
      await this.#run(client, downstream, upstream, record, facts)
    } finally {
      events.connectionDone(downstream, record)
    }
  }

  async #run(
    client: Duplex,
    downstream: Downstream,
    to: Upstream,
    record: RequestRecord,
    facts: RequestFacts,
  ): Promise<void> {
    const { endpoints, pools, connectTimeoutMs, open } = this.#components
    const sides = [client]
    using _open = open.add({ facts, downstream, record, streams: () => sides })
    const gone = new AbortController()
    client.once('close', () => gone.abort())
    const endpoint = await endpoints.choose(to, downstream, new Set())
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
      server = await pools.connect(endpoint, { connectTimeoutMs: connectTimeoutMs(), signal: gone.signal })
    } catch (error) {
      release()
      record.flag(error instanceof UpstreamError ? flagOfFailure(error.failure) : 'UF')
      record.transportFailure = messageOf(error)
      cut(client)
      return
    }
    sides.push(server)
    const counters = { aToB: 0, bToA: 0 }
    try {
      const { error } = await splice(client, server, { counters, slabs: this.#slabs })
      if (error !== undefined) record.flag('UC')
    } finally {
      release()
      record.receivedBytes = counters.aToB
      record.sentBytes = counters.bToA
    }
  }
}

function upstreamOf(target: TunnelTarget): Upstream {
  if (target.kind === 'workload') {
    return {
      to: { kind: 'workload', workload: target.workload, port: target.port },
      protocol: 'tcp',
      backend: undefined,
    }
  }
  return {
    to: { kind: 'service', service: target.service, port: target.port.number, isAddressed: true },
    protocol: 'tcp',
    backend: undefined,
  }
}
