import { LABELS } from '@ambit/api'
import { PORTS } from '@ambit/core'
import type { MeshContext } from '../domain.types.ts'
import { parseBool, type StringMap } from '../watch/json.ts'
import type { PolicyCondition } from './policy-condition.ts'
import type { WaypointAddress, WaypointBinding } from './waypoint.ts'

/** No name below `invalid` exists (RFC 2606). */
const NOWHERE = 'waypoint-required.invalid'

/** Whether the object, or else its namespace, refuses traffic without a waypoint. What is no boolean was meant to. */
export function requiresWaypoint(labels: StringMap, namespaceLabels: StringMap): boolean {
  const label = labels[LABELS.requireWaypoint] ?? namespaceLabels[LABELS.requireWaypoint]
  return label !== undefined && parseBool(label) !== false
}

/**
 * A waypoint no proxy can resolve: whoever is told of it refuses to connect. It stands in the root namespace, where
 * nobody but the mesh's owners could give the name a service.
 */
export function unresolvableWaypoint({ rootNamespace }: Pick<MeshContext, 'rootNamespace'>): WaypointAddress {
  return {
    destination: { case: 'hostname', value: { namespace: rootNamespace, hostname: NOWHERE } },
    hboneMtlsPort: PORTS.hbone,
  }
}

/** What the status of a service says when it should have a waypoint and has none that can be used. */
export function missingWaypointCondition(
  binding: WaypointBinding | undefined,
  required: boolean,
): PolicyCondition | undefined {
  if (binding?.bound === true || (binding === undefined && !required)) return undefined
  const why = binding === undefined ? `no waypoint is named by ${LABELS.useWaypoint}` : binding.message
  return required
    ? {
        status: 'True',
        reason: 'TrafficRefused',
        message: `${why}: until a waypoint can be used, clients in the mesh are refused`,
      }
    : {
        status: 'True',
        reason: 'TrafficBypassesWaypoint',
        message: `${why}: until then clients in the mesh connect directly, past the policies and routes of the waypoint; label the service or its namespace ${LABELS.requireWaypoint}=true to refuse them instead`,
      }
}
