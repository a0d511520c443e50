import { quotaUsage } from '../../controllers/quota-usage.ts'
import type { Pod } from '../../objects/pod.types.ts'
import { formatQuantity, parseQuantity } from '../../objects/quantity.ts'
import type { ResourceQuota } from '../../objects/workloads.types.ts'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, textOf } from '../json.ts'
import { storageKey } from '../resources/resource-definition.ts'
import type { Target } from '../resources/target.ts'
import { forbidden } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'

/** Refuses a new object that a ResourceQuota of its namespace leaves no room for. */
export function checkQuota(store: ObjectStore, { definition, namespace }: Target, object: KubeObject): void {
  if (!definition.namespaced || namespace === undefined) return
  const key = storageKey(definition)
  for (const stored of store.list('/resourcequotas', namespace)) {
    const quota = stored as unknown as ResourceQuota
    const usage = (added: KubeObject | undefined): Readonly<Record<string, string>> => {
      const list = (resource: string): readonly KubeObject[] => {
        const present = store.list(resource, namespace)
        return added !== undefined && resource === key ? [...present, added] : present
      }
      return quotaUsage(quota, {
        pods: list('/pods') as unknown as readonly Pod[],
        services: list('/services'),
        claims: list('/persistentvolumeclaims'),
        count: (resource) => list(resource).length,
      })
    }
    const refuse = (why: string): never => {
      throw forbidden(definition.group, definition.resource, object.metadata.name ?? '', why)
    }
    const name = textOf(stored.metadata.name)
    const [before, after] = [usage(undefined), usage(object)]
    if (key === '/pods') {
      const missing = unsaid(object, quota, before, after)
      if (missing.length > 0) refuse(`failed quota: ${name}: must specify ${missing.join('; ')}`)
    }
    const exceeded = Object.entries(quota.spec.hard ?? {}).flatMap(([what, hard]) => {
      const [was, is] = [parseQuantity(before[what]) ?? 0, parseQuantity(after[what]) ?? 0]
      if (is <= was || is <= (parseQuantity(hard) ?? 0)) return []
      const requested = formatQuantity(is - was, /memory|storage/.test(what))
      return [{ what, requested, used: before[what] ?? '0', hard: textOf(hard) }]
    })
    if (exceeded.length === 0) continue
    const list = (value: (item: (typeof exceeded)[number]) => string): string =>
      exceeded.map((item) => `${item.what}=${value(item)}`).join(',')
    refuse(
      `exceeded quota: ${name}, requested: ${list((item) => item.requested)}, used: ${list((item) => item.used)}, limited: ${list((item) => item.hard)}`,
    )
  }
}

/** What a quota of cpu or memory wants to be told by every container of a pod it counts. */
function unsaid(
  pod: KubeObject,
  quota: ResourceQuota,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] {
  const isCounted = after['pods'] === undefined || after['pods'] !== before['pods']
  if (!isCounted) return []
  return Object.keys(quota.spec.hard ?? {}).flatMap((name) => {
    const [, kind = 'requests', resource = ''] = /^(?:(limits|requests)\.)?(cpu|memory)$/.exec(name) ?? []
    if (resource === '') return []
    const silent = arrayOf(at(pod, 'spec', 'containers'))
      .filter((container) => at(container, 'resources', kind, resource) === undefined)
      .map((container) => textOf(at(container, 'name')))
    return silent.length === 0 ? [] : [`${name} for: ${silent.join(',')}`]
  })
}
