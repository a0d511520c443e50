import type { ConnectionFacts, RequestFacts, RequestVerdict, Verdict } from '@ambit/policy'
import type { Workload } from '@ambit/state'
import type { ProxyState } from '../compile/proxy-state.ts'
import type { Hop, OtherEndpoint, Outcome, PointName } from '../explanation.types.ts'

/** What happened at one enforcement point, and all that is needed to ask it again with evidence. */
export type Check = ConnectionCheck | RequestCheck | PlainCheck

interface CheckBase {
  readonly point: PointName
  /** `namespace/name` of the pod or waypoint. */
  readonly at: string
  readonly verdict: 'allowed' | 'denied' | 'unreachable'
  readonly reason: string
}

/** A ztunnel before its pod: policies on connections. */
export interface ConnectionCheck extends CheckBase {
  readonly kind: 'connection'
  readonly workload: Workload
  readonly facts: ConnectionFacts
  readonly judged: Verdict
}

/** A waypoint or gateway: policies on requests. */
export interface RequestCheck extends CheckBase {
  readonly kind: 'request'
  readonly proxy: ProxyState
  readonly facts: RequestFacts
  readonly names: readonly string[]
  readonly judged: RequestVerdict
}

/** Something else than a policy decided. */
export interface PlainCheck extends CheckBase {
  readonly kind: 'plain'
}

/** What became of a connection or request, from the client to where it ended. */
export interface Journey {
  readonly outcome: Outcome
  readonly hops: readonly Hop[]
  /** In the order they were met. */
  readonly checks: readonly Check[]
  /** Endpoints of which the answer is another. */
  readonly others: readonly OtherEndpoint[]
  readonly gaps: readonly string[]
  /** Pods, proxies and ways that were gone past: what was not enforced there is told. */
  readonly passed: Passed
}

export interface Passed {
  /** The service that was addressed, `namespace/hostname`. */
  readonly service: string | undefined
  /** The waypoint or gateways that were on the way. */
  readonly proxies: readonly string[]
  /** The pod that it ended at. */
  readonly endpoint: Workload | undefined
  /** Whether a ztunnel was asked before the endpoint. */
  readonly isEndpointGuarded: boolean
}
