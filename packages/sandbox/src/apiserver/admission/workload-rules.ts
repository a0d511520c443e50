import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf } from '../json.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import { validateWorkload } from '../validation/pods.ts'
import { validateStatefulSet } from '../validation/stateful-sets.ts'
import { defaultPodSpec } from './pod-defaults.ts'
import { defaultClaim } from './volume-rules.ts'

/** The spec of an object, made when it is absent. */
export function specOf(object: KubeObject): JsonObject {
  const spec = objectOf(object['spec'])
  object['spec'] = spec
  return spec
}

export function defaultTemplate(spec: JsonObject): void {
  const template = spec['template']
  if (isObject(template) && isObject(template['spec'])) defaultPodSpec(template['spec'])
}

/** The member of that name as an object, made when it is absent. */
function memberOf(spec: JsonObject, name: string): JsonObject {
  const member = objectOf(spec[name])
  spec[name] = member
  return member
}

/** What keeps pods running. */
export const WORKLOAD_RULES: Readonly<Record<string, KindRules>> = {
  'apps/Deployment': {
    defaults(deployment) {
      const spec = specOf(deployment)
      defaultTemplate(spec)
      spec['replicas'] ??= 1
      spec['revisionHistoryLimit'] ??= 10
      spec['progressDeadlineSeconds'] ??= 600
      const strategy = memberOf(spec, 'strategy')
      strategy['type'] ??= 'RollingUpdate'
      if (strategy['type'] === 'RollingUpdate')
        strategy['rollingUpdate'] = { maxUnavailable: '25%', maxSurge: '25%', ...objectOf(strategy['rollingUpdate']) }
    },
    validate: validateWorkload,
  },
  'apps/ReplicaSet': {
    defaults(replicaSet) {
      const spec = specOf(replicaSet)
      defaultTemplate(spec)
      spec['replicas'] ??= 1
    },
    validate: validateWorkload,
  },
  '/ReplicationController': {
    defaults(controller) {
      const spec = specOf(controller)
      defaultTemplate(spec)
      spec['replicas'] ??= 1
      const labels = objectOf(at(spec['template'], 'metadata', 'labels'))
      spec['selector'] ??= { ...labels }
      controller.metadata.labels ??= { ...labels } as Record<string, string>
    },
    // Its selector is a map of labels, and may change.
    validate(controller) {
      const { selector, ...spec } = objectOf(controller['spec'])
      return validateWorkload({ ...controller, spec: { ...spec, selector: { matchLabels: selector } } }, undefined)
    },
  },
  'apps/StatefulSet': {
    defaults(statefulSet) {
      const spec = specOf(statefulSet)
      defaultTemplate(spec)
      spec['replicas'] ??= 1
      spec['revisionHistoryLimit'] ??= 10
      spec['podManagementPolicy'] ??= 'OrderedReady'
      const retention = memberOf(spec, 'persistentVolumeClaimRetentionPolicy')
      retention['whenDeleted'] ??= 'Retain'
      retention['whenScaled'] ??= 'Retain'
      const strategy = memberOf(spec, 'updateStrategy')
      strategy['type'] ??= 'RollingUpdate'
      if (strategy['type'] === 'RollingUpdate')
        strategy['rollingUpdate'] = { partition: 0, ...objectOf(strategy['rollingUpdate']) }
      for (const claim of arrayOf(spec['volumeClaimTemplates'])) {
        if (!isObject(claim)) continue
        claim['apiVersion'] = 'v1'
        claim['kind'] = 'PersistentVolumeClaim'
        defaultClaim(claim)
      }
    },
    validate: validateStatefulSet,
  },
  'apps/DaemonSet': {
    defaults(daemonSet) {
      const spec = specOf(daemonSet)
      defaultTemplate(spec)
      spec['revisionHistoryLimit'] ??= 10
      const strategy = memberOf(spec, 'updateStrategy')
      strategy['type'] ??= 'RollingUpdate'
      if (strategy['type'] === 'RollingUpdate')
        strategy['rollingUpdate'] = { maxUnavailable: 1, maxSurge: 0, ...objectOf(strategy['rollingUpdate']) }
    },
    validate: validateWorkload,
  },
}
