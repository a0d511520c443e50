import { type Clock, type Counter, formatSpiffeId, type Logger, type Metrics } from '@ambit/core'
import type { RequestDenial, RequestVerdict } from '@ambit/policy'
import { MAX_LOG_VALUE_LENGTH } from '../limits.ts'
import type { Downstream } from '../request.types.ts'
import type { AccessLog } from './access-log.ts'
import type { Ends } from './request-labels.ts'
import { RequestMetrics } from './request-metrics.ts'
import type { RequestRecord } from './request-record.ts'
import type { SourceOf } from './source-of.ts'
import { TcpMetrics } from './tcp-metrics.ts'

export interface TrafficEventsComponents {
  readonly metrics: Metrics
  readonly logger: Logger
  readonly accessLog: AccessLog
  /** Where a request comes from, for labels only. */
  readonly sourceOf: SourceOf
  readonly clock: Clock
}

/** What happens to requests and connections, told to metrics and logs together so that they can not disagree. */
export class TrafficEvents {
  readonly #components: TrafficEventsComponents
  readonly #requests: RequestMetrics
  readonly #connections: TcpMetrics
  readonly #log: Logger
  readonly #audited: Counter

  constructor(components: TrafficEventsComponents) {
    this.#components = components
    this.#requests = new RequestMetrics(components.metrics)
    this.#connections = new TcpMetrics(components.metrics)
    this.#log = components.logger.scope('rbac')
    this.#audited = components.metrics.counter({
      name: 'ambit_waypoint_shadow_matches_total',
      help: 'Matches of AUDIT policies and of policies on trial',
      labelNames: ['policy', 'action', 'kind'],
    })
  }

  requestDone(downstream: Downstream, record: RequestRecord): void {
    const durationMs = this.#components.clock.monotonic() - record.started
    this.#requests.record(this.#ends(downstream, record, record.isGrpc ? 'grpc' : 'http'), record, durationMs)
    this.#components.accessLog.log({ record, downstream, principal: nameOf(downstream), durationMs })
  }

  connectionOpened(downstream: Downstream, record: RequestRecord): void {
    this.#connections.opened(this.#ends(downstream, record, 'tcp'))
  }

  connectionDone(downstream: Downstream, record: RequestRecord): void {
    const durationMs = this.#components.clock.monotonic() - record.started
    const bytes = { received: record.receivedBytes, sent: record.sentBytes }
    this.#connections.closed(this.#ends(downstream, record, 'tcp'), record.flags, bytes)
    this.#components.accessLog.log({ record, downstream, principal: nameOf(downstream), durationMs })
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

  #ends(downstream: Downstream, record: RequestRecord, protocol: Ends['protocol']): Ends {
    return {
      ...this.#components.sourceOf(downstream, record),
      endpoint: record.endpoint,
      service: record.service,
      protocol,
    }
  }
}

/** Names of ALLOW policies that did not match, in one line. */
const MAX_POLICIES_IN_LOG = 10

/** A client of a gateway rarely has a name. */
function nameOf({ peer }: Downstream): string | undefined {
  return peer === undefined ? undefined : formatSpiffeId(peer)
}
