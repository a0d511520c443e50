import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { invalidValue, requiredValue, unsupportedValue } from './causes.ts'

const METRICS = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']
const EVICTION = ['AlwaysAllow', 'IfHealthyBudget']

export function validateAutoscaler(autoscaler: KubeObject): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(autoscaler['spec'])
  for (const key of ['kind', 'name'])
    if (!at(spec, 'scaleTargetRef', key)) causes.push(requiredValue(`spec.scaleTargetRef.${key}`))
  const { minReplicas, maxReplicas } = spec
  if (typeof minReplicas === 'number' && minReplicas < 1)
    causes.push(invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'))
  if (typeof maxReplicas !== 'number' || maxReplicas < 1)
    causes.push(invalidValue('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than 0'))
  else if (typeof minReplicas === 'number' && maxReplicas < minReplicas)
    causes.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'))
  for (const [index, metric] of arrayOf(spec['metrics']).entries()) {
    const type = at(metric, 'type')
    const field = `spec.metrics[${index}]`
    if (!METRICS.includes(String(type))) causes.push(unsupportedValue(`${field}.type`, type, METRICS))
    else {
      const source = `${String(type).charAt(0).toLowerCase()}${String(type).slice(1)}`
      if (!isObject(at(metric, source)))
        causes.push(requiredValue(`${field}.${source}`, 'must populate the given metric source'))
    }
  }
  return causes
}

export function validateDisruptionBudget(budget: KubeObject): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(budget['spec'])
  if (spec['minAvailable'] !== undefined && spec['maxUnavailable'] !== undefined)
    causes.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'))
  for (const key of ['minAvailable', 'maxUnavailable']) {
    const value = spec[key]
    if (value === undefined) continue
    const isShare = typeof value === 'string' && /^\d+%$/.test(value) && Number.parseInt(value, 10) <= 100
    if (!isShare && !(typeof value === 'number' && value >= 0))
      causes.push(
        invalidValue(
          `spec.${key}`,
          value,
          'must be a number of at least 0 or a percentage of at most 100%, as in "30%"',
        ),
      )
  }
  const policy = spec['unhealthyPodEvictionPolicy']
  if (policy !== undefined && !EVICTION.includes(textOf(policy)))
    causes.push(unsupportedValue('spec.unhealthyPodEvictionPolicy', policy, EVICTION))
  return causes
}
