import { decodeLabelSelector, selectorMatches } from '@ambit/controller/judgement'
import { list, record, text } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { type Sourced } from '../source.types.ts'

const MUTATING = 'admissionregistration.k8s.io/MutatingWebhookConfiguration'
const VALIDATING = 'admissionregistration.k8s.io/ValidatingWebhookConfiguration'

type Labels = Readonly<Record<string, string>>

/** Labels that injectors select by; what matches two of them is injected twice (Istio). */
const NAMESPACES: readonly Labels[] = [{}, { 'istio-injection': 'enabled' }, { 'istio-injection': 'disabled' }]
const PODS: readonly Labels[] = [{}, { 'sidecar.istio.io/inject': 'true' }, { 'sidecar.istio.io/inject': 'false' }]

interface Webhook {
  readonly about: Sourced
  readonly name: string
  readonly service: { readonly namespace: string; readonly name: string } | undefined
  readonly takes: (namespace: Labels, pod: Labels) => boolean
}

export const webhooks: Analyzer = {
  name: 'webhook.Analyzer',
  summary: 'Whether Istio’s webhooks lead to a control plane, and do not overlap',
  codes: ['IST0139'],
  *analyze(snapshot) {
    const mutating = snapshot.of(MUTATING).flatMap(webhooksOf)
    for (const { about, name, service } of [...mutating, ...snapshot.of(VALIDATING).flatMap(webhooksOf)]) {
      if (service === undefined || !snapshot.lacks('core/Service', service.namespace, service.name)) continue
      const message = `Webhook ${name} leads to the Service ${service.namespace}/${service.name}, which does not exist.`
      yield { code: 'IST0139', about, path: ['webhooks'], message }
    }
    for (const one of mutating) {
      const others = mutating.filter(
        (other) =>
          other !== one && NAMESPACES.some((ns) => PODS.some((pod) => one.takes(ns, pod) && other.takes(ns, pod))),
      )
      if (others.length === 0) continue
      const names = others.map((other) => `${other.about.object.metadata.name}/${other.name}`).toSorted()
      const message = `Webhook ${one.name} is for pods that ${names.join(', ')} is for too: they would be injected twice.`
      yield { code: 'IST0139', about: one.about, path: ['webhooks'], message }
    }
  },
}

function webhooksOf(about: Sourced): readonly Webhook[] {
  const entries = list(record(about.object)['webhooks']).map(record)
  if (!entries.some(({ name }) => text(name).endsWith('istio.io'))) return []
  return entries.map((entry) => {
    const service = record(entry['clientConfig'])['service']
    const { namespace, name } = record(service)
    return {
      about,
      name: text(entry['name']),
      service: service === undefined ? undefined : { namespace: text(namespace), name: text(name) },
      takes: (ns, pod) => fits(entry['namespaceSelector'], ns) && fits(entry['objectSelector'], pod),
    }
  })
}

function fits(selector: unknown, labels: Labels): boolean {
  if (selector === undefined) return true
  const decoded = decodeLabelSelector(selector)
  return decoded !== undefined && selectorMatches(decoded, labels)
}
