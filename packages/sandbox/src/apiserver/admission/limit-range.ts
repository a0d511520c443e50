import { formatQuantity, parseQuantity } from '../../objects/quantity.ts'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf, textOf } from '../json.ts'
import type { KindRules, RuleEnvironment } from '../resources/kind-rules.types.ts'
import { forbidden } from '../status-error.ts'

/** Limits of a namespace for one type of thing: Container or PersistentVolumeClaim. */
function itemsOf({ store }: RuleEnvironment, namespace: string | undefined, type: string): readonly JsonObject[] {
  return store
    .list('/limitranges', namespace ?? '')
    .flatMap((range) => arrayOf(at(range, 'spec', 'limits')))
    .filter(isObject)
    .filter((item) => item['type'] === type)
}

/** Fills in what a LimitRange leaves to be concluded: a limit from the maximum, a request from the limit or the minimum. */
export const LIMIT_RANGE_RULES: KindRules = {
  defaults(range) {
    for (const item of arrayOf(at(range, 'spec', 'limits'))) {
      if (!isObject(item) || item['type'] !== 'Container') continue
      const limits = { ...objectOf(item['max']), ...objectOf(item['default']) }
      const requests = { ...objectOf(item['min']), ...limits, ...objectOf(item['defaultRequest']) }
      if (Object.keys(limits).length > 0) item['default'] = limits
      if (Object.keys(requests).length > 0) item['defaultRequest'] = requests
    }
  },
}

/** Gives a pod's containers the limits and requests of their namespace, and refuses what goes beyond them. */
export function limitPod(pod: KubeObject, environment: RuleEnvironment): void {
  const items = itemsOf(environment, pod.metadata.namespace, 'Container')
  if (items.length === 0) return
  const spec = objectOf(pod['spec'])
  const containers = [...arrayOf(spec['initContainers']), ...arrayOf(spec['containers'])].filter(isObject)
  for (const container of containers) {
    const resources = objectOf(container['resources'])
    container['resources'] = resources
    for (const item of items) {
      fillIn(resources, 'limits', item['default'])
      fillIn(resources, 'requests', item['defaultRequest'])
    }
  }
  const problems = containers.flatMap((container) =>
    items.flatMap((item) => problemsOf(item, objectOf(container['resources']), 'Container')),
  )
  if (problems.length > 0) throw forbidden('', 'pods', pod.metadata.name ?? '', problems.join(', '))
}

export function limitClaim(claim: KubeObject, environment: RuleEnvironment): void {
  const resources = objectOf(at(claim, 'spec', 'resources'))
  const problems = itemsOf(environment, claim.metadata.namespace, 'PersistentVolumeClaim').flatMap((item) =>
    problemsOf(item, { requests: resources['requests'], limits: resources['requests'] }, 'PersistentVolumeClaim'),
  )
  if (problems.length > 0) throw forbidden('', 'persistentvolumeclaims', claim.metadata.name ?? '', problems.join(', '))
}

function fillIn(resources: JsonObject, member: string, defaults: unknown): void {
  if (!isObject(defaults)) return
  resources[member] = { ...defaults, ...objectOf(resources[member]) }
}

function problemsOf(item: JsonObject, resources: JsonObject, type: string): readonly string[] {
  const problems: string[] = []
  const compare = (bound: 'max' | 'min', member: 'limits' | 'requests'): void => {
    for (const [name, value] of Object.entries(objectOf(item[bound]))) {
      const bounded = parseQuantity(value) ?? 0
      const own = parseQuantity(at(resources, member, name))
      const word = bound === 'max' ? 'maximum' : 'minimum'
      const what = member === 'limits' ? 'limit' : 'request'
      if (own === undefined)
        problems.push(`${word} ${name} usage per ${type} is ${textOf(value)}.  No ${what} is specified`)
      else if (bound === 'max' ? own > bounded : own < bounded)
        problems.push(`${word} ${name} usage per ${type} is ${textOf(value)}, but ${what} is ${shown(name, own)}`)
    }
  }
  compare('max', 'limits')
  compare('min', 'requests')
  return problems
}

function shown(name: string, value: number): string {
  return formatQuantity(value, name !== 'cpu')
}
