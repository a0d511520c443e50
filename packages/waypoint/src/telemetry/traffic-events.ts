import { type Clock, type Counter, formatSpiffeId, type Logger, type Metrics } from '@ambit/core'
import { type Flow, FlowIds, FlowJournal, type FlowReporter } from '@ambit/flow'
import type { FieldsRead, RequestDenial, RequestVerdict } from '@ambit/policy'
import { MAX_LOG_VALUE_LENGTH } from '../limits.ts'
import type { Downstream } from '../request.types.ts'
import type { AccessLog } from './access-log.ts'
import { LiveRequest } from './live-request.ts'
import type { Ends } from './request-labels.ts'
import { RequestMetrics } from './request-metrics.ts'
import type { RequestRecord } from './request-record.ts'
import type { SourceOf } from './source-of.ts'
import { TcpMetrics } from './tcp-metrics.ts'
import { flowOf, stateOf } from './tell-request.ts'

export interface TrafficEventsComponents {
  readonly metrics: Metrics
  readonly logger: Logger
  readonly accessLog: AccessLog
  /** Where a request comes from, for labels only. */
  readonly sourceOf: SourceOf
  /** What policies of these names look at. */
  readonly fieldsRead: (policies: readonly string[]) => FieldsRead
  readonly clock: Clock
}

/** What happens to requests and connections, told to metrics, logs and flows together so that they can not disagree. */
export class TrafficEvents {
  readonly #components: TrafficEventsComponents
  readonly #requests: RequestMetrics
  readonly #connections: TcpMetrics
  readonly #log: Logger
  readonly #audited: Counter
  readonly #reporter: FlowReporter
  readonly #ids = new FlowIds()
  readonly #live = new Map<RequestRecord, LiveRequest>()
  readonly flows: FlowJournal

  constructor(components: TrafficEventsComponents, options: { readonly reporter: FlowReporter }) {
    this.#components = components
    this.#reporter = options.reporter
    this.flows = new FlowJournal({ live: () => this.#live.values(), clock: components.clock })
    this.#requests = new RequestMetrics(components.metrics)
    this.#connections = new TcpMetrics(components.metrics)
    this.#log = components.logger.scope('rbac')
    this.#audited = components.metrics.counter({
      name: 'ambit_waypoint_shadow_matches_total',
      help: 'Matches of AUDIT policies and of policies on trial',
      labelNames: ['policy', 'action', 'kind'],
    })
  }

  /** Followers are told of it when it is over, or has lasted a while. */
  requestStarted(downstream: Downstream, record: RequestRecord): void {
    this.#live.set(record, new LiveRequest(downstream, record, 'http', this.#flow))
  }

  requestDone(downstream: Downstream, record: RequestRecord): void {
    const durationMs = this.#components.clock.monotonic() - record.started
    const id = this.#ended(downstream, record, 'http')
    this.#requests.record(this.#ends(downstream, record, record.isGrpc ? 'grpc' : 'http'), record, durationMs)
    this.#components.accessLog.log({ record, id, downstream, principal: nameOf(downstream), durationMs })
  }

  connectionOpened(downstream: Downstream, record: RequestRecord): void {
    const live = new LiveRequest(downstream, record, 'tcp', this.#flow)
    this.#live.set(record, live)
    this.flows.opened(live)
    this.#connections.opened(this.#ends(downstream, record, 'tcp'))
  }

  connectionDone(downstream: Downstream, record: RequestRecord): void {
    const durationMs = this.#components.clock.monotonic() - record.started
    const id = this.#ended(downstream, record, 'tcp')
    const bytes = { received: record.receivedBytes, sent: record.sentBytes }
    this.#connections.closed(this.#ends(downstream, record, 'tcp'), record.flags, bytes)
    this.#components.accessLog.log({ record, id, downstream, principal: nameOf(downstream), durationMs })
  }

  /** A refusal of policy is always told, whatever the access log is set to. */
  denied(downstream: Downstream, record: RequestRecord, denial: RequestDenial): void {
    this.#log.info('request denied by policy', {
      'src.addr': downstream.remote.ip,
      'src.identity': nameOf(downstream),
      'dst.addr': downstream.authority,
      'dst.service': record.service?.hostname,
      method: record.method || undefined,
      path: record.path.slice(0, MAX_LOG_VALUE_LENGTH) || undefined,
      stream_id: this.#idOf(record),
      reason: denial.reason,
      policy: denial.policy ?? denial.unmatched?.slice(0, MAX_POLICIES_IN_LOG).join(','),
      rule: denial.rule,
    })
  }

  /** Counts and logs what AUDIT and dry-run policies would have said. */
  judged(downstream: Downstream, record: RequestRecord, { audited, dryRun }: RequestVerdict): void {
    if (audited.length === 0 && dryRun.length === 0) return
    const tell = (kind: 'audit' | 'dry-run', matches: RequestVerdict['audited']): void => {
      for (const { policy, action, rule } of matches) {
        this.#audited.add({ policy, action, kind })
        this.#log.info(kind === 'audit' ? 'request audited' : 'request matched a policy on trial', {
          'src.identity': nameOf(downstream),
          'dst.addr': downstream.authority,
          method: record.method || undefined,
          path: record.path.slice(0, MAX_LOG_VALUE_LENGTH) || undefined,
          action,
          policy,
          rule,
        })
      }
    }
    tell('audit', audited)
    tell('dry-run', dryRun)
  }

  protocolError(downstream: Downstream, error: { readonly status: number; readonly reason: string }): void {
    const log = this.#components.logger.scope('http')
    // Whoever likes can say to a gateway what is none.
    log[downstream.kind === 'gateway' ? 'debug' : 'info']('not a request', {
      'src.addr': downstream.remote.ip,
      'src.identity': nameOf(downstream),
      'dst.addr': downstream.authority,
      status: error.status,
      reason: error.reason,
    })
  }

  /** Tells followers, and keeps what did not go well. Answers what it is called. */
  #ended(downstream: Downstream, record: RequestRecord, protocol: Flow['protocol']): string {
    const live = this.#live.get(record) ?? new LiveRequest(downstream, record, protocol, this.#flow)
    this.#live.delete(record)
    live.isOver = true
    if (this.flows.isFollowed || stateOf(live) !== 'closed') this.flows.ended(this.#flow(live))
    return this.#idOf(record)
  }

  readonly #flow = (live: LiveRequest): Flow => {
    const { downstream, record, protocol, isOver } = live
    const { clock, fieldsRead, sourceOf } = this.#components
    return flowOf(this.#reporter, {
      id: this.#idOf(record),
      atMs: clock.now(),
      isOver,
      protocol,
      downstream,
      record,
      source: downstream.kind === 'tunnel' ? sourceOf(downstream, record).source : undefined,
      fieldsRead: fieldsRead(record.judged?.policies ?? NO_POLICIES),
    })
  }

  /** The request's own id where it was made here: then the access log has it whatever its format. */
  #idOf(record: RequestRecord): string {
    if (record.isOwnRequestId) return record.requestId
    record.flowNumber ??= this.#ids.next()
    return this.#ids.text(record.flowNumber)
  }

  #ends(downstream: Downstream, record: RequestRecord, protocol: Ends['protocol']): Ends {
    return {
      ...this.#components.sourceOf(downstream, record),
      endpoint: record.endpoint,
      service: record.service,
      protocol,
    }
  }
}

const NO_POLICIES: readonly string[] = []

/** Names of ALLOW policies that did not match, in one line. */
const MAX_POLICIES_IN_LOG = 10

/** A client of a gateway rarely has a name. */
function nameOf({ peer }: Downstream): string | undefined {
  return peer === undefined ? undefined : formatSpiffeId(peer)
}
