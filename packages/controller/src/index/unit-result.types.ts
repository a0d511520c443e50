import type { ResourceInput } from '@ambit/xds'
import type { PolicyCondition } from '../compile/policy-condition.ts'
import type { RouteCondition } from '../compile/route-condition.ts'
import type { ListenerOutcome } from '../gateway/gateway-status.ts'
import type { RouteParentStatus } from './route-status.ts'
import type { WaypointAnswer } from './waypoint-lookup.ts'

/** The lists of resources a unit can contribute, one for each type. */
export type ResourceField =
  | 'trafficPolicies'
  | 'subsetMembers'
  | 'addresses'
  | 'policies'
  | 'settings'
  | 'requestPolicies'
  | 'destinations'
  | 'credentials'

/** What a unit contributes. Equal for equal state, whatever happened before. */
export interface UnitResult extends Readonly<Partial<Record<ResourceField, readonly ResourceInput[]>>> {
  /** For status: the waypoint the object asked for. */
  readonly waypoint?: WaypointAnswer | undefined
  readonly ingressUsesWaypoint?: boolean | undefined
  /** For status: that the object does nothing without a waypoint. */
  readonly waypointMissing?: PolicyCondition | undefined
  /** For status: where traffic goes while the service's waypoint can't be used. */
  readonly withoutWaypoint?: PolicyCondition | undefined
  /** For status: what became of the policy. */
  readonly policyCondition?: PolicyCondition | undefined
  /** For status: what became of the policy's targets. */
  readonly targetCondition?: PolicyCondition | undefined
  /** Names of the Secrets that have to be known for it. */
  readonly namesCredentials?: readonly string[] | undefined
  /** For status: what became of a Gateway's listeners. */
  readonly listeners?: readonly ListenerOutcome[] | undefined
  /** For status: what became of a VirtualService or DestinationRule. */
  readonly ruleConditions?: readonly RouteCondition[] | undefined
  /** For status: what became of the route at its parents. */
  readonly routeParents?: readonly RouteParentStatus[] | undefined
}
