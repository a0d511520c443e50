import type { KubeObject } from '../apiserver/contract.types.ts'
import type { Pod } from '../objects/pod.types.ts'
import { formatQuantity, parseQuantity } from '../objects/quantity.ts'
import type { ResourceQuota } from '../objects/workloads.types.ts'
import { requestsOf } from '../scheduler/requests.ts'
import { isEnded } from './ownership.ts'

/** Names of quotas that count objects, by the resource they count. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  pods: '/pods',
  services: '/services',
  secrets: '/secrets',
  configmaps: '/configmaps',
  persistentvolumeclaims: '/persistentvolumeclaims',
  resourcequotas: '/resourcequotas',
  replicationcontrollers: '/replicationcontrollers',
}

export interface QuotaFacts {
  readonly pods: readonly Pod[]
  readonly services: readonly KubeObject[]
  readonly claims: readonly KubeObject[]
  /** How many objects of a resource there are, by `group/resource`. */
  readonly count: (resource: string) => number
}

/** What is used of each thing that a quota limits, in its own units. */
export function quotaUsage(quota: ResourceQuota, facts: QuotaFacts): Record<string, string> {
  const pods = facts.pods.filter((pod) => !isEnded(pod) && quotaCovers(quota, pod))
  const used: Record<string, string> = {}
  for (const name of Object.keys(quota.spec.hard ?? {})) {
    const amount = usageOf(name, pods, facts)
    if (amount !== undefined) used[name] = formatQuantity(amount, /memory|storage/.test(name))
  }
  return used
}

function usageOf(name: string, pods: readonly Pod[], facts: QuotaFacts): number | undefined {
  const counted = /^count\/([^.]+)(?:\.(.+))?$/.exec(name)
  if (counted !== null) {
    const [, resource = '', group = ''] = counted
    return resource === 'pods' && group === '' ? pods.length : facts.count(`${group}/${resource}`)
  }
  if (name === 'pods') return pods.length
  const short = SHORT_NAMES[name]
  if (short !== undefined) return facts.count(short)
  const typeOf = (service: KubeObject): unknown => (service['spec'] as { type?: unknown } | undefined)?.type
  if (name === 'services.loadbalancers') return facts.services.filter((one) => typeOf(one) === 'LoadBalancer').length
  if (name === 'services.nodeports')
    return facts.services
      .filter((one) => typeOf(one) === 'NodePort' || typeOf(one) === 'LoadBalancer')
      .reduce((sum, { spec }) => sum + ((spec as { ports?: unknown[] } | undefined)?.ports?.length ?? 0), 0)
  if (name === 'requests.storage') return facts.claims.reduce((sum, claim) => sum + storageOf(claim), 0)
  const [, kind, resource = name] = /^(limits|requests)\.(.+)$/.exec(name) ?? []
  if (kind === 'limits') return pods.reduce((sum, pod) => sum + limitOf(pod, resource), 0)
  // cpu and memory alone mean what is requested.
  const asked: string = kind === 'requests' ? resource : name
  if (!['cpu', 'memory', 'ephemeral-storage'].includes(asked) && !asked.includes('/')) return undefined
  return pods.reduce((sum, pod) => sum + (requestsOf(pod.spec).get(asked) ?? 0), 0)
}

function limitOf(pod: Pod, resource: string): number {
  const limits = (container: Pod['spec']['containers'][number]): number =>
    parseQuantity(container.resources?.limits?.[resource] ?? 0) ?? 0
  const running = pod.spec.containers.reduce((sum, container) => sum + limits(container), 0)
  return Math.max(running, ...(pod.spec.initContainers ?? []).map(limits))
}

function storageOf(claim: KubeObject): number {
  const { resources } = (claim['spec'] ?? {}) as { resources?: { requests?: Record<string, string | number> } }
  return parseQuantity(resources?.requests?.['storage'] ?? 0) ?? 0
}

/** Whether a quota counts a pod: one may be limited to some. */
export function quotaCovers(quota: ResourceQuota, pod: Pod): boolean {
  const terms = [
    ...(quota.spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: undefined })),
    ...(quota.spec.scopeSelector?.matchExpressions ?? []),
  ]
  return terms.every(({ operator, scopeName, values = [] }) => {
    const deadline = (pod.spec as { activeDeadlineSeconds?: number }).activeDeadlineSeconds
    const bestEffort = (pod.status as { qosClass?: string } | undefined)?.qosClass === 'BestEffort'
    const priority = pod.spec.priorityClassName ?? ''
    switch (scopeName) {
      case 'Terminating':
        return deadline !== undefined
      case 'NotTerminating':
        return deadline === undefined
      case 'BestEffort':
        return bestEffort
      case 'NotBestEffort':
        return !bestEffort
      case 'PriorityClass':
        if (operator === 'In') return values.includes(priority)
        if (operator === 'NotIn') return !values.includes(priority)
        return (priority !== '') === (operator === 'Exists')
      default:
        return false
    }
  })
}
