import type { ResourceInput } from '@ambit/xds'
import { compileEndpointSlice } from '../compile/endpoint-slice.ts'
import type { ServiceMembership } from '../compile/membership.ts'
import { workloadResource } from '../compile/resource.ts'
import { subsetMemberResources } from '../compile/traffic-policy.ts'
import { compileExternalWorkload, compilePod } from '../compile/workload.ts'
import type { StringMap } from '../watch/json.ts'
import { destinationOfWorkload } from './destinations.ts'
import { nodeKey } from './keys.ts'
import { membershipsOfPod, membershipsOfWorkloadEntry } from './memberships.ts'
import type { MeshState } from './mesh-state.ts'
import { policiesOfWorkload } from './policies-of-workload.ts'
import { subsetsOfWorkload } from './traffic-policies.ts'
import type { UnitResult } from './unit-result.types.ts'
import type { Uses } from './uses.types.ts'
import { applicationTunnelOf, publishedWaypoint, type WaypointAnswer, waypointOf } from './waypoint-lookup.ts'

export function podUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const pod = state.pods.get(namespace, name)
  if (pod === undefined || !pod.running) return {}
  uses(nodeKey(pod.node))
  const waypoint = waypointOf(state, pod, 'workload', uses)
  const services = membershipsOfPod(state, pod)
  const workload = compilePod(pod, state.mesh, {
    services,
    policies: policiesOfWorkload(state, namespace, pod.labels),
    waypoint: publishedWaypoint(state, pod, 'workload', waypoint),
    applicationTunnel: applicationTunnelOf(state, pod, uses),
    locality: state.nodes.get(pod.node)?.locality,
  })
  return {
    addresses: [workloadResource(workload)],
    subsetMembers: subsetMembers(state, workload.uid, pod.labels, services),
    destinations: destinationOfWorkload(state, workload.uid, waypoint, uses),
  }
}

function subsetMembers(
  state: MeshState,
  uid: string,
  labels: StringMap,
  services: readonly ServiceMembership[],
): readonly ResourceInput[] {
  const keys = services.map(({ key }) => key)
  return subsetMemberResources(uid, subsetsOfWorkload(state, labels, keys))
}

export function workloadEntryUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const entry = state.workloadEntries.get(namespace, name)
  if (entry === undefined) return {}
  const waypoint = waypointOf(state, entry, 'workload', uses)
  const owner = { namespace, name, uidKind: 'networking.istio.io/WorkloadEntry' }
  const services = membershipsOfWorkloadEntry(state, entry)
  const workload = compileExternalWorkload(owner, entry.workload, state.mesh, {
    services,
    policies: policiesOfWorkload(state, namespace, entry.labels),
    waypoint: publishedWaypoint(state, entry, 'workload', waypoint),
  })
  return {
    addresses: [workloadResource(workload)],
    subsetMembers: subsetMembers(state, workload.uid, entry.labels, services),
    destinations: destinationOfWorkload(state, workload.uid, waypoint, uses),
    waypoint: isNotMeant(waypoint) ? undefined : waypoint,
  }
}

/** A namespace asks for its services first of all: that the waypoint is not for workloads is nothing to complain of. */
function isNotMeant(answer: WaypointAnswer | undefined): boolean {
  return answer?.inherited === true && !answer.binding.bound && answer.binding.reason === 'UnsupportedTrafficType'
}

export function sliceUnit(state: MeshState, namespace: string, name: string): UnitResult {
  const slice = state.slices.get(namespace, name)
  const service = slice && state.services.get(namespace, slice.serviceName)
  if (slice === undefined || service === undefined || service.externalName) return {}
  return { addresses: compileEndpointSlice(slice, service, state.mesh).map(workloadResource) }
}
