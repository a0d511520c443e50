import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf } from '../json.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import type { ResourceDefinition } from '../resources/resource-definition.ts'
import { validatePod, validateWorkload } from '../validation/pods.ts'
import { validateService } from '../validation/services.ts'
import { validateConfig, validateRbac } from '../validation/simple-kinds.ts'
import { admitPod } from './pod-admission.ts'
import { defaultPodSpec } from './pod-defaults.ts'
import { allocateService, defaultService, reallocateService } from './service-admission.ts'

const RBAC = 'rbac.authorization.k8s.io'

function specOf(object: KubeObject): JsonObject {
  const spec = objectOf(object['spec'])
  object['spec'] = spec
  return spec
}

function defaultTemplate(spec: JsonObject): void {
  const template = spec['template']
  if (isObject(template) && isObject(template['spec'])) defaultPodSpec(template['spec'])
}

const RULES: Readonly<Record<string, KindRules>> = {
  '/Namespace': {
    defaults(namespace, old) {
      namespace.metadata.labels = {
        ...namespace.metadata.labels,
        'kubernetes.io/metadata.name': namespace.metadata.name ?? '',
      }
      const spec = specOf(namespace)
      spec['finalizers'] = old === undefined ? ['kubernetes'] : (spec['finalizers'] ?? at(old, 'spec', 'finalizers'))
      if (old === undefined) namespace['status'] = { phase: 'Active' }
    },
  },
  '/Pod': {
    defaults(pod) {
      const spec = specOf(pod)
      defaultPodSpec(spec)
    },
    admitCreate: admitPod,
    validate: validatePod,
  },
  '/Service': {
    defaults: defaultService,
    admitCreate: allocateService,
    admitUpdate: reallocateService,
    validate: validateService,
  },
  '/Secret': {
    defaults(secret) {
      secret['type'] ??= 'Opaque'
      const plain = secret['stringData']
      if (isObject(plain)) {
        const encoded = Object.entries(plain).map(([key, value]) => [
          key,
          Buffer.from(String(value)).toString('base64'),
        ])
        secret['data'] = { ...objectOf(secret['data']), ...Object.fromEntries(encoded) }
        delete secret['stringData']
      }
    },
    validate: validateConfig,
  },
  '/ConfigMap': { validate: validateConfig },
  '/Event': {
    defaults(event) {
      event['metadata'] ??= {}
      event['type'] ??= 'Normal'
    },
  },
  'apps/Deployment': {
    defaults(deployment) {
      const spec = specOf(deployment)
      defaultTemplate(spec)
      spec['replicas'] ??= 1
      spec['revisionHistoryLimit'] ??= 10
      spec['progressDeadlineSeconds'] ??= 600
      const strategy = objectOf(spec['strategy'])
      spec['strategy'] = strategy
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
  'apps/DaemonSet': {
    defaults(daemonSet) {
      const spec = specOf(daemonSet)
      defaultTemplate(spec)
      spec['revisionHistoryLimit'] ??= 10
      const strategy = objectOf(spec['updateStrategy'])
      spec['updateStrategy'] = strategy
      strategy['type'] ??= 'RollingUpdate'
      if (strategy['type'] === 'RollingUpdate')
        strategy['rollingUpdate'] = { maxUnavailable: 1, maxSurge: 0, ...objectOf(strategy['rollingUpdate']) }
    },
    validate: validateWorkload,
  },
  'discovery.k8s.io/EndpointSlice': {
    defaults(slice) {
      for (const port of arrayOf(slice['ports']))
        if (isObject(port)) {
          port['protocol'] ??= 'TCP'
          port['name'] ??= ''
        }
    },
  },
}

const BINDING: KindRules = {
  defaults(binding) {
    const role = binding['roleRef']
    if (isObject(role) && !role['apiGroup']) role['apiGroup'] = RBAC
    for (const subject of arrayOf(binding['subjects'])) {
      if (!isObject(subject) || subject['apiGroup']) continue
      if (subject['kind'] === 'User' || subject['kind'] === 'Group') subject['apiGroup'] = RBAC
      if (subject['kind'] === 'ServiceAccount') delete subject['apiGroup']
    }
  },
  validate: validateRbac,
}

const WEBHOOK: KindRules = {
  admitCreate(object, _environment, context) {
    context.warnings.push(`the sandbox stores ${object.kind} but never calls webhooks`)
  },
}

/** Rules of the built-in kinds; none for custom ones. */
export function builtinRules(definition: ResourceDefinition): KindRules {
  if (definition.custom !== undefined) return {}
  if (definition.group === RBAC) return definition.kind.endsWith('Binding') ? BINDING : { validate: validateRbac }
  if (definition.kind.endsWith('WebhookConfiguration')) return WEBHOOK
  return RULES[`${definition.group}/${definition.kind}`] ?? {}
}
