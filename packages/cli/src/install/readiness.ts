import type { ClusterObject } from '../cluster/cluster.types.ts'
import { asList, asObject, asText } from '../json.ts'

/** Does a wait for readiness concern this object at all? */
export function hasReadiness(object: ClusterObject): boolean {
  return object.kind === 'Deployment' || object.kind === 'DaemonSet' || object.kind === 'CustomResourceDefinition'
}

/** Why the object is not ready yet, or undefined when it is. */
export function notReadyReason(object: ClusterObject): string | undefined {
  const spec = asObject(object['spec'])
  const status = asObject(object['status'])
  const count = (name: string): number => Number(status[name] ?? 0)
  if (object.kind === 'CustomResourceDefinition') {
    const established = asList(status['conditions'])
      .map(asObject)
      .some((condition) => asText(condition['type']) === 'Established' && asText(condition['status']) === 'True')
    return established ? undefined : 'not established'
  }
  if (count('observedGeneration') < (object.metadata.generation ?? 0)) return 'not seen by its controller yet'
  if (object.kind === 'Deployment') {
    const wanted = Number(spec['replicas'] ?? 1)
    if (count('updatedReplicas') < wanted) return `${count('updatedReplicas')} of ${wanted} pods updated`
    if (count('replicas') > count('updatedReplicas')) return 'old pods are still ending'
    if (count('availableReplicas') < wanted) return `${count('availableReplicas')} of ${wanted} pods available`
    return undefined
  }
  if (object.kind === 'DaemonSet') {
    const wanted = count('desiredNumberScheduled')
    if (count('updatedNumberScheduled') < wanted) return `${count('updatedNumberScheduled')} of ${wanted} pods updated`
    if (count('numberAvailable') < wanted) return `${count('numberAvailable')} of ${wanted} pods available`
  }
  return undefined
}

/** What keeps a pod from being ready, in one line; undefined when nothing is known. */
export function podTrouble(pod: ClusterObject): string | undefined {
  const status = asObject(pod['status'])
  for (const container of asList(status['containerStatuses']).map(asObject)) {
    const state = asObject(container['state'])
    const held = asObject(state['waiting'] ?? state['terminated'])
    const reason = asText(held['reason'])
    if (reason !== '') return `${pod.metadata.name}: ${[reason, asText(held['message'])].filter(Boolean).join(': ')}`
  }
  const unscheduled = asList(status['conditions'])
    .map(asObject)
    .find((condition) => asText(condition['type']) === 'PodScheduled' && asText(condition['status']) === 'False')
  if (unscheduled !== undefined) return `${pod.metadata.name}: not scheduled: ${asText(unscheduled['message'])}`
  const ready = asList(status['conditions'])
    .map(asObject)
    .find((condition) => asText(condition['type']) === 'Ready' && asText(condition['status']) === 'False')
  return ready === undefined ? undefined : `${pod.metadata.name}: not ready: ${asText(ready['message'])}`
}
