import type { ResourceInput } from '@ambit/xds'
import { compileAuthorizationPolicy } from '../compile/authorization.ts'
import { compileEndpointSlice } from '../compile/endpoint-slice.ts'
import { convertPeerAuthentication, staticStrict } from '../compile/peer-authentication.ts'
import type { PolicyCondition } from '../compile/policy-condition.ts'
import { authorizationResource, serviceResource, workloadResource } from '../compile/resource.ts'
import { compileService } from '../compile/service.ts'
import { compileInlineEndpoints, compileServiceEntry } from '../compile/service-entry.ts'
import { targetCondition } from '../compile/target-condition.ts'
import { compileExternalWorkload, compilePod } from '../compile/workload.ts'
import type { ServiceEntry } from '../domain.types.ts'
import { membershipsOfPod, membershipsOfWorkloadEntry } from './memberships.ts'
import type { MeshState } from './mesh-state.ts'
import { authenticationsOf, isOlder, policiesOfWorkload } from './policies-of-workload.ts'
import { targetsOfPolicy } from './targets-of-policy.ts'
import { partsOf, type Unit } from './units.ts'
import {
  addressOfAnswer,
  applicationTunnelOf,
  ingressUsesWaypoint,
  nodeKey,
  type Uses,
  type WaypointAnswer,
  waypointOf,
} from './waypoint-lookup.ts'

/** What a unit contributes. Equal for equal state, whatever happened before. */
export interface UnitResult {
  readonly addresses: readonly ResourceInput[]
  readonly policies: readonly ResourceInput[]
  /** For status: the waypoint the object asked for. */
  readonly waypoint?: WaypointAnswer | undefined
  readonly ingressUsesWaypoint?: boolean | undefined
  /** For status: that the object does nothing without a waypoint. */
  readonly waypointMissing?: PolicyCondition | undefined
  /** For status: what became of the policy. */
  readonly policyCondition?: PolicyCondition | undefined
  /** For status: what became of the policy's targets. */
  readonly targetCondition?: PolicyCondition | undefined
}

const NOTHING: UnitResult = { addresses: [], policies: [] }

export function compileUnit(state: MeshState, key: Unit, uses: Uses): UnitResult {
  const { kind, namespace, name } = partsOf(key)
  switch (kind) {
    case 'pod':
      return podUnit(state, namespace, name, uses)
    case 'service':
      return serviceUnit(state, namespace, name, uses)
    case 'serviceEntry':
      return serviceEntryUnit(state, namespace, name, uses)
    case 'workloadEntry':
      return workloadEntryUnit(state, namespace, name, uses)
    case 'slice':
      return sliceUnit(state, namespace, name)
    case 'policy':
      return policyUnit(state, namespace, name, uses)
    case 'authentication':
      return authenticationUnit(state, namespace, name)
    case 'strict':
      return strictUnit(state)
    default:
      return NOTHING
  }
}

function strictUnit(state: MeshState): UnitResult {
  for (const _ of state.authentications)
    return { ...NOTHING, policies: [authorizationResource(staticStrict(state.mesh.rootNamespace))] }
  return NOTHING
}

function podUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const pod = state.pods.get(namespace, name)
  if (pod === undefined || !pod.running) return NOTHING
  uses(nodeKey(pod.node))
  const workload = compilePod(pod, state.mesh, {
    services: membershipsOfPod(state, pod),
    policies: policiesOfWorkload(state, namespace, pod.labels),
    waypoint: addressOfAnswer(waypointOf(state, pod, 'workload', uses)),
    applicationTunnel: applicationTunnelOf(state, pod, uses),
    locality: state.nodes.get(pod.node)?.locality,
  })
  return { ...NOTHING, addresses: [workloadResource(workload)] }
}

function serviceUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const service = state.services.get(namespace, name)
  if (service === undefined) return NOTHING
  const waypoint = waypointOf(state, service, 'service', uses)
  const ingress = ingressUsesWaypoint(state, namespace, service.labels) && service.clusterIps.length > 0
  const compiled = compileService(service, state.mesh, {
    namespaceAnnotations: state.namespaces.get(namespace)?.annotations ?? {},
    waypoint: addressOfAnswer(waypoint),
    ingressUseWaypoint: ingress,
  })
  if (compiled === undefined) return NOTHING
  return { ...NOTHING, addresses: [serviceResource(compiled)], waypoint, ingressUsesWaypoint: ingress }
}

function serviceEntryUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const entry = state.serviceEntries.get(namespace, name)
  if (entry === undefined) return NOTHING
  const waypoint = waypointOf(state, entry, 'service', uses)
  const ingress = ingressUsesWaypoint(state, namespace, entry.labels)
  const services = compileServiceEntry(entry, state.mesh, {
    namespaceAnnotations: state.namespaces.get(namespace)?.annotations ?? {},
    waypoint: addressOfAnswer(waypoint),
    ingressUseWaypoint: ingress,
    canonical: (host) => isFirstClaim(state, entry, host, () => true),
  }).filter(({ hostname }) => isFirstClaim(state, entry, hostname, (other) => other === namespace))
  const workloads = compileInlineEndpoints(entry, state.mesh, (labels) => ({
    policies: policiesOfWorkload(state, namespace, labels),
    waypoint: addressOfAnswer(waypointOf(state, { namespace, labels }, 'workload', uses)),
  }))
  return {
    ...NOTHING,
    addresses: [...services.map(serviceResource), ...workloads.map(workloadResource)],
    waypoint,
    ingressUsesWaypoint: ingress,
    waypointMissing:
      entry.resolution === 'DYNAMIC_DNS' && waypoint?.binding.bound !== true ? NEEDS_WAYPOINT : undefined,
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
  for (const key of state.hosts.get(host)) {
    const { kind, namespace, name } = partsOf(key)
    if (!rivals(namespace)) continue
    if (kind === 'service') return false
    const other = state.serviceEntries.get(namespace, name)
    if (other !== undefined && other !== entry && isOlder(other, entry)) return false
  }
  return true
}

function workloadEntryUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const entry = state.workloadEntries.get(namespace, name)
  if (entry === undefined) return NOTHING
  const waypoint = waypointOf(state, entry, 'workload', uses)
  const owner = { namespace, name, uidKind: 'networking.istio.io/WorkloadEntry' }
  const workload = compileExternalWorkload(owner, entry.workload, state.mesh, {
    services: membershipsOfWorkloadEntry(state, entry),
    policies: policiesOfWorkload(state, namespace, entry.labels),
    waypoint: addressOfAnswer(waypoint),
  })
  return { ...NOTHING, addresses: [workloadResource(workload)], waypoint }
}

function sliceUnit(state: MeshState, namespace: string, name: string): UnitResult {
  const slice = state.slices.get(namespace, name)
  const service = slice && state.services.get(namespace, slice.serviceName)
  if (slice === undefined || service === undefined || service.externalName) return NOTHING
  return { ...NOTHING, addresses: compileEndpointSlice(slice, service, state.mesh).map(workloadResource) }
}

function policyUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const policy = state.policies.get(namespace, name)
  if (policy === undefined) return NOTHING
  const { authorization, condition } = compileAuthorizationPolicy(policy, state.mesh)
  const policies = authorization === undefined ? [] : [authorizationResource(authorization)]
  return {
    ...NOTHING,
    policies,
    policyCondition: condition,
    targetCondition: targetCondition(targetsOfPolicy(state, policy, uses)),
  }
}

function authenticationUnit(state: MeshState, namespace: string, name: string): UnitResult {
  const workload = state.authentications.get(namespace, name)
  if (workload?.selector === undefined) return NOTHING
  const { rootNamespace } = state.mesh
  const { mesh, namespace: ofNamespace } = authenticationsOf(state, namespace, {})
  const converted = convertPeerAuthentication({ mesh, namespace: ofNamespace, workload }, rootNamespace)
  return { ...NOTHING, policies: converted === undefined ? [] : [authorizationResource(converted)] }
}
