import { labelsMatch } from '../compile/labels-match.ts'
import {
  externalInService,
  externalInServiceEntry,
  podInService,
  podInServiceEntry,
  podInSlice,
  type ServiceMembership,
  uniqueMemberships,
} from '../compile/membership.ts'
import type { KubeService, Pod, ServiceEntry, WorkloadEntry } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'
import type { MeshState } from './mesh-state.ts'

/** Whether a Service picks workloads by their labels at all. */
export function selects(service: KubeService): boolean {
  for (const _ in service.selector) return !service.externalName
  return false
}

function picksEntry(entry: ServiceEntry, labels: StringMap): boolean {
  const selector = entry.workloadSelector
  if (selector === undefined) return false
  // An empty selector in a ServiceEntry is not valid and picks nothing.
  return Object.keys(selector).length > 0 && labelsMatch(selector, labels)
}

export function membershipsOfPod(state: MeshState, pod: Pod): readonly ServiceMembership[] {
  const all: ServiceMembership[] = []
  for (const service of state.services.in(pod.namespace))
    if (selects(service) && labelsMatch(service.selector, pod.labels)) all.push(podInService(pod, service))
  for (const sliceName of state.links.slicesOfPod.get(`${pod.namespace}/${pod.name}`)) {
    const slice = state.slices.get(pod.namespace, sliceName)
    const service = slice && state.services.get(pod.namespace, slice.serviceName)
    if (slice === undefined || service === undefined || selects(service) || service.externalName) continue
    // A pod that was made anew under its old name is not the one the slice speaks of.
    if (slice.endpoints.some(({ podName, podUid = pod.uid }) => podName === pod.name && podUid === pod.uid))
      all.push(podInSlice(service, slice))
  }
  for (const entry of state.serviceEntries.in(pod.namespace))
    if (picksEntry(entry, pod.labels)) all.push(...podInServiceEntry(pod, entry))
  return uniqueMemberships(all)
}

export function membershipsOfWorkloadEntry(state: MeshState, entry: WorkloadEntry): readonly ServiceMembership[] {
  const all: ServiceMembership[] = []
  for (const service of state.services.in(entry.namespace))
    if (selects(service) && labelsMatch(service.selector, entry.labels))
      all.push(externalInService(entry.workload, service))
  for (const serviceEntry of state.serviceEntries.in(entry.namespace))
    if (picksEntry(serviceEntry, entry.labels)) all.push(...externalInServiceEntry(entry.workload, serviceEntry))
  return uniqueMemberships(all)
}
