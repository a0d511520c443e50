import { formatSocketAddress, formatSpiffeId } from '@ambit/core'
import {
  type Flow,
  type FlowEnd,
  type FlowReporter,
  type FlowRequest,
  type FlowState,
  type FlowTransport,
  type FlowVerdict,
  MAX_FLOW_POLICIES,
  MAX_FLOW_TEXT,
} from '@ambit/flow'
import type { FieldsRead, RequestVerdict } from '@ambit/policy'
import type { Workload } from '@ambit/state'
import type { Downstream } from '../request.types.ts'
import type { RequestRecord } from './request-record.ts'
import { shownClaims, shownHeaders } from './shown-fields.ts'

/** What is known of a request, or of a connection that is none, when it is told of. */
export interface ToldRequest {
  readonly id: string
  readonly atMs: number
  readonly isOver: boolean
  readonly protocol: Flow['protocol']
  readonly downstream: Downstream
  readonly record: RequestRecord
  /** The client's, of a tunnel. */
  readonly source: Workload | undefined
  readonly fieldsRead: FieldsRead
}

/** A request, or a connection, as a flow. */
export function flowOf(reporter: FlowReporter, told: ToldRequest): Flow {
  const { downstream, record, protocol } = told
  const { judged, copying } = record
  const state = stateOf(told)
  return {
    id: told.id,
    state,
    startedAt: new Date(record.startedMs).toISOString(),
    at: new Date(told.atMs).toISOString(),
    reporter,
    side: 'waypoint',
    protocol,
    client: clientOf(told),
    server: serverOf(told),
    service: serviceOf(downstream, record),
    waypoint: waypointOf(reporter, record),
    transport: transportOf(downstream),
    bytesFromClient: record.receivedBytes + (copying?.aToB ?? 0),
    bytesToClient: record.sentBytes + (copying?.bToA ?? 0),
    request: protocol === 'http' ? requestOf(told) : undefined,
    verdict: judged && verdictOf(judged.verdict),
    failure: state === 'denied' || state === 'failed' ? failureOf(state, record) : undefined,
  }
}

/** A client that leaves is no failure. */
const NO_FAILURES: ReadonlySet<string> = new Set(['-', 'DC'])

/** How it ended, or that it has not. */
export function stateOf({ isOver, protocol, record }: Pick<ToldRequest, 'isOver' | 'protocol' | 'record'>): FlowState {
  if (!isOver) return 'open'
  if (record.judged?.verdict.allowed === false) return 'denied'
  if (!NO_FAILURES.has(record.flags)) return 'failed'
  // Neither answered nor left by its client.
  if (protocol === 'http' && record.status === 0 && record.flags === '-') return 'failed'
  return 'closed'
}

function failureOf(state: 'denied' | 'failed', record: RequestRecord): Flow['failure'] {
  const details = record.connectionDetails ?? record.details ?? record.transportFailure ?? ''
  return { code: state === 'denied' ? 'policy-denied' : record.flags, message: details.slice(0, MAX_FLOW_TEXT) }
}

function clientOf({ downstream, source }: ToldRequest): FlowEnd {
  const { peer, remote } = downstream
  return {
    address: formatSocketAddress(remote),
    identity: peer && formatSpiffeId(peer),
    namespace: source?.namespace ?? peer?.namespace,
    workload: source?.workloadName,
    pod: source?.name,
  }
}

function serverOf({ downstream, record, protocol }: ToldRequest): FlowEnd {
  const { upstreamHost, waypoint } = record
  // Of a waypoint as next hop it is not known which endpoint it will choose.
  const endpoint = waypoint === undefined ? record.endpoint : undefined
  const peer = waypoint ?? endpoint
  const copied = record.copying !== undefined || record.receivedBytes + record.sentBytes > 0
  const answered = protocol === 'tcp' ? copied : record.upstreamMs !== undefined
  return {
    address: upstreamHost === undefined ? downstream.authority : formatSocketAddress(upstreamHost),
    identity: answered && peer?.protocol === 'HBONE' ? formatSpiffeId(peer.identity) : undefined,
    namespace: endpoint?.namespace,
    workload: endpoint?.workloadName,
    pod: endpoint?.name,
  }
}

function serviceOf(downstream: Downstream, record: RequestRecord): Flow['service'] {
  const service = record.addressed ?? record.service
  if (service === undefined) return undefined
  const port = record.addressed === undefined ? (record.servicePort ?? 0) : downstream.destinationPort
  return { namespace: service.namespace, hostname: service.hostname, port }
}

function waypointOf({ kind, gateway }: FlowReporter, { waypoint }: RequestRecord): string | undefined {
  if (kind === 'waypoint') return gateway
  return waypoint && `${waypoint.namespace}/${waypoint.workloadName}`
}

function transportOf(downstream: Downstream): FlowTransport {
  if (downstream.kind === 'tunnel') return { kind: 'hbone', ...downstream.transport }
  const { tls } = downstream
  return tls === undefined ? { kind: 'plain' } : { kind: 'tls', version: tls.version, cipher: tls.cipher }
}

function requestOf({ record, fieldsRead }: ToldRequest): FlowRequest {
  const http = record.judged?.facts.http
  const path = http?.path ?? record.path.replace(/\?.*$/s, '')
  return {
    method: record.method.slice(0, MAX_FLOW_TEXT),
    path: path.slice(0, MAX_FLOW_TEXT),
    host: record.authority.slice(0, MAX_FLOW_TEXT),
    headers: http && shownHeaders(fieldsRead.headers, http),
    claims: http?.token && shownClaims(fieldsRead.claims, http.token.claims),
    status: record.status,
  }
}

function verdictOf(verdict: RequestVerdict): FlowVerdict {
  const { allowed, reason, policy, rule } = verdict
  const unmatched = verdict.allowed ? undefined : verdict.unmatched?.slice(0, MAX_FLOW_POLICIES)
  return { allowed, reason, policy, rule, unmatched }
}
