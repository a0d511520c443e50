import { quotaCovers, quotaUsage } from '../../controllers/quota-usage.ts'
import type { Pod } from '../../objects/pod.types.ts'
import { parseQuantity } from '../../objects/quantity.ts'
import type { ResourceQuota } from '../../objects/workloads.types.ts'
import type { KubeObject } from '../contract.types.ts'
import type { RuleEnvironment } from '../resources/kind-rules.types.ts'
import { forbidden } from '../status-error.ts'

const MUST_SAY = /^(?:(requests|limits)\.)?(cpu|memory)$/

/** Refuses a pod that a quota of its namespace has no room for, or that doesn't say what the quota counts. */
export function checkQuotas(object: KubeObject, { store }: RuleEnvironment): void {
  // Checked against its schema before it came here.
  const pod = object as Pod
  const { name = '', namespace } = pod.metadata
  const quotas = (store.list('/resourcequotas', namespace) as readonly ResourceQuota[]).filter((quota) =>
    quotaCovers(quota, pod),
  )
  if (quotas.length === 0) return
  const pods = store.list('/pods', namespace) as readonly Pod[]
  for (const quota of quotas) {
    const { hard = {} } = quota.spec
    const unsaid = Object.keys(hard).flatMap((key) => unsaidFor(key, pod))
    if (unsaid.length > 0)
      throw forbidden('', 'pods', name, `failed quota: ${quota.metadata.name}: must specify ${unsaid.join('; ')}`)
    const nothing = { services: [], claims: [], count: () => 0 }
    const used = quotaUsage(quota, { ...nothing, pods })
    const requested = quotaUsage(quota, { ...nothing, pods: [pod] })
    const number = (amount: string | number | undefined): number => parseQuantity(amount ?? 0) ?? 0
    const over = Object.keys(hard)
      .filter((key) => number(requested[key]) > 0 && number(used[key]) + number(requested[key]) > number(hard[key]))
      .toSorted((a, b) => a.localeCompare(b))
    if (over.length === 0) continue
    const list = (of: Readonly<Record<string, string | number>>): string =>
      over.map((key) => `${key}=${of[key]}`).join(',')
    throw forbidden(
      '',
      'pods',
      name,
      `exceeded quota: ${quota.metadata.name}, requested: ${list(requested)}, used: ${list(used)}, limited: ${list(hard)}`,
    )
  }
}

/** What a quota counts and some containers don't name. */
function unsaidFor(key: string, pod: Pod): readonly string[] {
  const [, kind = 'requests', resource = ''] = MUST_SAY.exec(key) ?? []
  if (resource === '') return []
  const silent = pod.spec.containers.filter(
    ({ resources }) => (kind === 'limits' ? resources?.limits : resources?.requests)?.[resource] === undefined,
  )
  return silent.length === 0 ? [] : [`${key} for: ${silent.map((container) => container.name).join(',')}`]
}
