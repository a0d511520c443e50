import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, cloneJson, isObject, type JsonObject, objectOf } from '../json.ts'

/** autoscaling/v1 knows one metric, the processor's use, as a number of its own. */
export function convertAutoscaler(object: KubeObject, version: string, old?: KubeObject): KubeObject {
  const apiVersion = `autoscaling/${version}`
  if (object.apiVersion === apiVersion) return object
  return version === 'v1' ? toV1(object) : toV2(object, old)
}

function isCpu(metric: unknown): boolean {
  return (
    at(metric, 'type') === 'Resource' &&
    at(metric, 'resource', 'name') === 'cpu' &&
    at(metric, 'resource', 'target', 'type') === 'Utilization'
  )
}

function toV1(object: KubeObject): KubeObject {
  const { metrics, behavior: _behavior, ...spec } = objectOf(object['spec'])
  const target = at(arrayOf(metrics).find(isCpu), 'resource', 'target', 'averageUtilization')
  const { currentMetrics, conditions: _conditions, ...status } = objectOf(object['status'])
  const current = arrayOf(currentMetrics).find((metric) => at(metric, 'resource', 'name') === 'cpu')
  const utilization = at(current, 'resource', 'current', 'averageUtilization')
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    status: {
      currentReplicas: 0,
      desiredReplicas: 0,
      ...status,
      ...(utilization === undefined ? {} : { currentCPUUtilizationPercentage: utilization }),
    },
  }
}

/** What version 1 can't say stays as it was: other metrics, behaviour, conditions. */
function toV2(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const { targetCPUUtilizationPercentage: target, ...spec } = objectOf(object['spec'])
  const { currentCPUUtilizationPercentage: _current, ...status } = objectOf(object['status'])
  const before = cloneJson(objectOf(old?.['spec']))
  const metrics = arrayOf(before['metrics']).filter((metric) => !isCpu(metric))
  if (target !== undefined)
    metrics.unshift({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } },
    })
  const kept: JsonObject = {}
  if (metrics.length > 0) kept['metrics'] = metrics
  if (isObject(before['behavior'])) kept['behavior'] = before['behavior']
  const { currentMetrics, conditions } = objectOf(old?.['status'])
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    spec: { ...spec, ...kept },
    status: { ...cloneJson({ currentMetrics, conditions }), ...status },
  }
}
