import { missingWaypointCondition } from '../compile/missing-waypoint.ts'
import type { PolicyCondition } from '../compile/policy-condition.ts'
import { serviceResource, workloadResource } from '../compile/resource.ts'
import { compileService } from '../compile/service.ts'
import { compileInlineEndpoints, compileServiceEntry } from '../compile/service-entry.ts'
import { subsetMemberResources } from '../compile/traffic-policy.ts'
import type { ServiceEntry } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'
import { destinationOfWorkload, destinationsOfService, destinationsOfServiceEntry } from './destinations.ts'
import type { MeshState } from './mesh-state.ts'
import { isOlder, policiesOfWorkload } from './policies-of-workload.ts'
import { subsetsOfWorkload, trafficPoliciesOf } from './traffic-policies.ts'
import type { UnitResult } from './unit-result.types.ts'
import { partsOf } from './units.ts'
import type { Uses } from './uses.types.ts'
import {
  ingressUsesWaypoint,
  needsWaypoint,
  publishedWaypoint,
  type WaypointAnswer,
  waypointOf,
} from './waypoint-lookup.ts'

export function serviceUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const service = state.services.get(namespace, name)
  if (service === undefined) return {}
  const waypoint = waypointOf(state, service, 'service', uses)
  const ingress = ingressUsesWaypoint(state, namespace, service.labels) && service.clusterIps.length > 0
  const compiled = compileService(service, state.mesh, {
    namespaceAnnotations: state.namespaces.get(namespace)?.annotations ?? {},
    waypoint: publishedWaypoint(state, service, 'service', waypoint),
    ingressUseWaypoint: ingress,
  })
  if (compiled === undefined) return {}
  return {
    addresses: [serviceResource(compiled)],
    trafficPolicies: trafficPoliciesOf(state, service, uses),
    destinations: destinationsOfService(state, service, waypoint, uses),
    waypoint,
    ingressUsesWaypoint: ingress,
    withoutWaypoint: missingWaypointCondition(waypoint?.binding, needsWaypoint(state, service, 'service', waypoint)),
  }
}

export function serviceEntryUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const entry = state.serviceEntries.get(namespace, name)
  if (entry === undefined) return {}
  const waypoint = waypointOf(state, entry, 'service', uses)
  const ingress = ingressUsesWaypoint(state, namespace, entry.labels)
  const services = compileServiceEntry(entry, state.mesh, {
    namespaceAnnotations: state.namespaces.get(namespace)?.annotations ?? {},
    waypoint: publishedWaypoint(state, entry, 'service', waypoint),
    ingressUseWaypoint: ingress,
    canonical: (host) => isFirstClaim(state, entry, host, () => true),
  }).filter(({ hostname }) => isFirstClaim(state, entry, hostname, (other) => other === namespace))
  const waypointsOfEndpoints: (WaypointAnswer | undefined)[] = []
  const labelsOfEndpoints: StringMap[] = []
  const workloads = compileInlineEndpoints(entry, state.mesh, (labels) => {
    const endpoint = { namespace, labels }
    const answer = waypointOf(state, endpoint, 'workload', uses)
    waypointsOfEndpoints.push(answer)
    labelsOfEndpoints.push(labels)
    return {
      policies: policiesOfWorkload(state, namespace, labels),
      waypoint: publishedWaypoint(state, endpoint, 'workload', answer),
    }
  })
  const hostnames = services.map(({ hostname }) => hostname)
  return {
    addresses: [...services.map(serviceResource), ...workloads.map(workloadResource)],
    trafficPolicies: hostnames.flatMap((hostname) => trafficPoliciesOf(state, { namespace, hostname }, uses)),
    subsetMembers: workloads.flatMap(({ uid }, i) =>
      subsetMemberResources(
        uid,
        subsetsOfWorkload(
          state,
          labelsOfEndpoints[i] ?? {},
          services.map(({ hostname }) => `${namespace}/${hostname}`),
        ),
      ),
    ),
    destinations: [
      ...destinationsOfServiceEntry(state, entry, hostnames, waypoint, uses),
      ...workloads.flatMap(({ uid }, i) => destinationOfWorkload(state, uid, waypointsOfEndpoints[i], uses)),
    ],
    waypoint,
    ingressUsesWaypoint: ingress,
    waypointMissing:
      entry.resolution === 'DYNAMIC_DNS' && waypoint?.binding.bound !== true ? NEEDS_WAYPOINT : undefined,
    withoutWaypoint: missingWaypointCondition(waypoint?.binding, needsWaypoint(state, entry, 'service', waypoint)),
  }
}

/** Only a waypoint can look at the name a client asked for (Istio's words). */
const NEEDS_WAYPOINT: PolicyCondition = {
  status: 'True',
  reason: 'NoWaypointForWildcardService',
  message: 'ServiceEntry will not apply until it is bound to a valid waypoint.',
}

/** A hostname belongs to the Kubernetes Service of that name, else to the oldest ServiceEntry. */
function isFirstClaim(
  state: MeshState,
  entry: ServiceEntry,
  host: string,
  rivals: (namespace: string) => boolean,
): boolean {
  for (const key of state.links.hosts.get(host)) {
    const { kind, namespace, name } = partsOf(key)
    if (!rivals(namespace)) continue
    if (kind === 'service') return false
    const other = state.serviceEntries.get(namespace, name)
    if (other !== undefined && other !== entry && isOlder(other, entry)) return false
  }
  return true
}
