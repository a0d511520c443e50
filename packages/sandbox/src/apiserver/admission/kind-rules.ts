import { checkEscalation } from '../auth/escalation.ts'
import { arrayOf, at, isObject, objectOf } from '../json.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import type { ResourceDefinition } from '../resources/resource-definition.ts'
import { validateApiService } from '../validation/api-services.ts'
import { validatePod } from '../validation/pods.ts'
import { validateService } from '../validation/services.ts'
import { validateConfig, validateRbac } from '../validation/simple-kinds.ts'
import { BATCH_RULES } from './batch-rules.ts'
import { LIMIT_RANGE_RULES } from './limit-range.ts'
import { NETWORK_RULES } from './network-rules.ts'
import { admitPod } from './pod-admission.ts'
import { defaultPodSpec } from './pod-defaults.ts'
import { SCALING_RULES } from './scaling-rules.ts'
import { allocateService, defaultService, reallocateService } from './service-admission.ts'
import { VOLUME_RULES } from './volume-rules.ts'
import { specOf, WORKLOAD_RULES } from './workload-rules.ts'

const RBAC = 'rbac.authorization.k8s.io'

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
  'apiregistration.k8s.io/APIService': { validate: validateApiService },
  '/LimitRange': LIMIT_RANGE_RULES,
  ...WORKLOAD_RULES,
  ...BATCH_RULES,
  ...VOLUME_RULES,
  ...NETWORK_RULES,
  ...SCALING_RULES,
}

const RBAC_RULES: KindRules = {
  admitCreate: (object, { store }, context) => checkEscalation(store, object, undefined, context),
  admitUpdate: (object, old, { store }, context) => checkEscalation(store, object, old, context),
  validate: validateRbac,
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
  ...RBAC_RULES,
}

/** Rules of the built-in kinds; none for custom ones. */
export function builtinRules(definition: ResourceDefinition): KindRules {
  if (definition.custom !== undefined) return {}
  if (definition.group === RBAC) return definition.kind.endsWith('Binding') ? BINDING : RBAC_RULES
  return RULES[`${definition.group}/${definition.kind}`] ?? {}
}
