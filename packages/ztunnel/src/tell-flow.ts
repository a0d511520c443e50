import { formatSocketAddress, formatSpiffeId, type SocketAddress, type SpiffeId } from '@ambit/core'
import { type Flow, type FlowEnd, type FlowReporter, type FlowVerdict, MAX_FLOW_POLICIES } from '@ambit/flow'
import type { Denial, Verdict } from '@ambit/policy'
import type { Transferred } from './access-log.ts'
import type { ConnectionFailure } from './failures.ts'
import type { Party, Traffic } from './traffic.types.ts'

/** What is known of a connection when it is told of. */
export interface ToldConnection {
  readonly id: string
  readonly startedAtMs: number
  readonly atMs: number
  readonly traffic: Traffic
  readonly bytes: Transferred
  /** Whether the other end has proved who it is. */
  readonly proven: boolean
  readonly verdict: Verdict | undefined
  /** Undefined while it is open. */
  readonly end: { readonly failure: ConnectionFailure | undefined } | undefined
}

/** A connection as a flow. */
export function flowOf(reporter: FlowReporter, told: ToldConnection): Flow {
  const { traffic, bytes, end } = told
  const { service, waypoint } = traffic
  const failure = end?.failure
  const denial = failure?.denial
  const verdict = denial ?? told.verdict
  return {
    id: told.id,
    state: end === undefined ? 'open' : denial !== undefined ? 'denied' : failure === undefined ? 'closed' : 'failed',
    startedAt: new Date(told.startedAtMs).toISOString(),
    at: new Date(told.atMs).toISOString(),
    reporter,
    side: traffic.reporter,
    protocol: 'tcp',
    client: endOf(traffic.sourceParty, formatSocketAddress(traffic.source), traffic.sourceIdentity),
    server: endOf(
      waypoint === undefined ? traffic.destinationParty : waypoint.target,
      traffic.hboneTarget ?? formatSocketAddress(traffic.destination),
      told.proven ? traffic.destinationIdentity : undefined,
    ),
    service: service && {
      namespace: service.namespace,
      hostname: service.hostname,
      port: traffic.servicePort ?? 0,
    },
    waypoint: waypoint?.name,
    transport: { kind: traffic.mutualTls ? 'hbone' : 'plain', ...traffic.tls },
    bytesFromClient: bytes.fromDownstream,
    bytesToClient: bytes.toDownstream,
    verdict: verdict && verdictOf(verdict),
    failure: failure && { code: failure.code, message: failure.message },
  }
}

/** A connection that was given up before anything was known of its ends. */
export function earlyFlow(
  reporter: FlowReporter,
  told: {
    readonly id: string
    readonly atMs: number
    readonly side: 'source' | 'destination'
    readonly source: SocketAddress
    readonly destination: SocketAddress
    readonly failure: ConnectionFailure
  },
): Flow {
  const at = new Date(told.atMs).toISOString()
  const { code, message } = told.failure
  return {
    id: told.id,
    state: 'failed',
    startedAt: at,
    at,
    reporter,
    side: told.side,
    protocol: 'tcp',
    client: { address: formatSocketAddress(told.source) },
    server: { address: formatSocketAddress(told.destination) },
    transport: { kind: 'plain' },
    bytesFromClient: 0,
    bytesToClient: 0,
    failure: { code, message },
  }
}

function endOf(party: Party | undefined, address: string, identity: SpiffeId | undefined): FlowEnd {
  return {
    address,
    identity: identity && formatSpiffeId(identity),
    namespace: party?.namespace,
    workload: party?.workload,
    pod: party?.name,
  }
}

function verdictOf(verdict: Verdict): FlowVerdict {
  const { allowed, reason, policy, rule } = verdict
  const unmatched = allowed ? undefined : (verdict satisfies Denial).unmatched?.slice(0, MAX_FLOW_POLICIES)
  return { allowed, reason, policy, rule, unmatched }
}
