import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf } from '../json.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import { validatePolicy, validatePolicyBinding } from '../validation/admission-policies.ts'
import { validateWebhooks } from '../validation/webhooks.ts'
import type { AdmissionExpressions } from './admission-expressions.ts'

/** Kubernetes' time for a webhook that names none, seconds. */
const DEFAULT_TIMEOUT_SECONDS = 10

function defaultMatch(resources: JsonObject): void {
  resources['matchPolicy'] ??= 'Equivalent'
  resources['namespaceSelector'] ??= {}
  resources['objectSelector'] ??= {}
  const lists = [resources['rules'], resources['resourceRules'], resources['excludeResourceRules']]
  for (const rule of lists.flatMap(arrayOf)) if (isObject(rule)) rule['scope'] ??= '*'
}

function defaultWebhooks(configuration: KubeObject): void {
  for (const webhook of arrayOf(configuration['webhooks'])) {
    if (!isObject(webhook)) continue
    webhook['failurePolicy'] ??= 'Fail'
    webhook['timeoutSeconds'] ??= DEFAULT_TIMEOUT_SECONDS
    if (configuration.kind === 'MutatingWebhookConfiguration') webhook['reinvocationPolicy'] ??= 'Never'
    defaultMatch(webhook)
    const service = at(webhook, 'clientConfig', 'service')
    if (isObject(service)) service['port'] ??= 443
  }
}

/** Rules for the configuration of admission itself. */
export function admissionConfigurationRules(expressions: AdmissionExpressions): Readonly<Record<string, KindRules>> {
  const webhooks: KindRules = {
    defaults: defaultWebhooks,
    validate: (configuration) => validateWebhooks(configuration, expressions),
  }
  return {
    ValidatingWebhookConfiguration: webhooks,
    MutatingWebhookConfiguration: webhooks,
    ValidatingAdmissionPolicy: {
      defaults(policy, old) {
        const spec = objectOf(policy['spec'])
        policy['spec'] = spec
        spec['failurePolicy'] ??= 'Fail'
        if (isObject(spec['matchConstraints'])) defaultMatch(spec['matchConstraints'])
        if (old === undefined) policy['status'] = { observedGeneration: 1, typeChecking: {} }
      },
      validate: (policy) => validatePolicy(policy, expressions),
    },
    ValidatingAdmissionPolicyBinding: {
      defaults(binding) {
        const resources = at(binding, 'spec', 'matchResources')
        if (isObject(resources)) defaultMatch(resources)
      },
      validate: validatePolicyBinding,
    },
  }
}
