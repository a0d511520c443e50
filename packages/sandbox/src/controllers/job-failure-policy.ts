import type { Pod } from '../objects/pod.types.ts'
import type { Job, PodFailureRule } from '../objects/workloads.types.ts'

export type FailureVerdict =
  | { readonly action: 'Count' | 'Ignore' | 'FailIndex' }
  | { readonly action: 'FailJob'; readonly message: string }

const COUNT: FailureVerdict = { action: 'Count' }

/** What a pod's failure means for its Job, by the first rule that fits. */
export function judgeFailure(job: Job, pod: Pod): FailureVerdict {
  for (const [i, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const match = matchRule(rule, pod)
    if (match === undefined) continue
    const { name, namespace } = pod.metadata
    if (rule.action === 'FailJob')
      return { action: 'FailJob', message: `${match(`${namespace}/${name}`)} matching FailJob rule at index ${i}` }
    if (rule.action === 'Ignore' || rule.action === 'FailIndex') return { action: rule.action }
    return COUNT
  }
  return COUNT
}

function matchRule(rule: PodFailureRule, pod: Pod): ((pod: string) => string) | undefined {
  const { onExitCodes: codes, onPodConditions: conditions } = rule
  if (codes !== undefined) {
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
    for (const { name, state } of statuses) {
      const code = state.terminated?.exitCode
      if (code === undefined || code === 0 || (codes.containerName && codes.containerName !== name)) continue
      if (codes.values.includes(code) === (codes.operator === 'In'))
        return (of) => `Container ${name} for pod ${of} failed with exit code ${code}`
    }
    return undefined
  }
  for (const { status = 'True', type } of conditions ?? [])
    if (pod.status?.conditions?.some((condition) => condition.type === type && condition.status === status))
      return (of) => `Pod ${of} has condition ${type}`
  return undefined
}
