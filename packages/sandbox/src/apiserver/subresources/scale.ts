import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf, setMember, textOf } from '../json.ts'
import type { ScalePaths } from '../resources/resource-definition.ts'
import { invalid } from '../status-error.ts'

/** The autoscaling/v1 Scale of an object. */
export function toScale(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = paths.selector === undefined ? undefined : at(object, ...paths.selector)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(object, ...paths.spec) ?? 0 },
    status: { replicas: at(object, ...paths.status) ?? 0, selector: selectorText(selector) },
  }
}

/** Custom resources hold the text, built-in kinds a LabelSelector, a ReplicationController a map of labels. */
function selectorText(selector: unknown): string {
  if (!isObject(selector)) return typeof selector === 'string' ? selector : ''
  const isMap = Object.values(selector).every((value) => typeof value === 'string')
  const labels = Object.entries(isMap ? selector : objectOf(selector['matchLabels'])).map(
    ([key, value]) => `${key}=${textOf(value)}`,
  )
  const expressions = arrayOf(selector['matchExpressions']).map((item) => {
    const key = textOf(at(item, 'key'))
    const values = arrayOf(at(item, 'values')).join(',')
    switch (at(item, 'operator')) {
      case 'In':
        return `${key} in (${values})`
      case 'NotIn':
        return `${key} notin (${values})`
      case 'DoesNotExist':
        return `!${key}`
      default:
        return key
    }
  })
  return [...labels, ...expressions].join(',')
}

/** The object with the replicas that a Scale asks for. */
export function withScale(object: KubeObject, scale: unknown, paths: ScalePaths): KubeObject {
  const replicas = at(scale, 'spec', 'replicas') ?? 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
    throw invalid('autoscaling', 'Scale', object.metadata.name ?? '', [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
        field: 'spec.replicas',
      },
    ])
  const resourceVersion = at(scale, 'metadata', 'resourceVersion')
  const metadata = {
    ...object.metadata,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : undefined,
  }
  return { ...(withMember(object, paths.spec, replicas) as KubeObject), metadata }
}

function withMember(value: unknown, [key, ...rest]: readonly string[], member: unknown): unknown {
  if (key === undefined) return member
  const copy: JsonObject = { ...objectOf(value) }
  setMember(copy, key, withMember(copy[key], rest, member))
  return copy
}
