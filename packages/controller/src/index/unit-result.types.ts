import type { ResourceInput } from '@ambit/xds'
import type { PolicyCondition } from '../compile/policy-condition.ts'
import type { RouteParentStatus } from './route-status.ts'
import type { WaypointAnswer } from './waypoint-lookup.ts'

/** The lists of resources a unit can contribute, one for each type. */
export type ResourceField = 'addresses' | 'policies' | 'settings' | 'requestPolicies' | 'destinations'

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
  /** For status: what became of the route at its parents. */
  readonly routeParents?: readonly RouteParentStatus[] | undefined
}
