import { arrayOf, isObject, objectOf } from '../json.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import {
  validateEndpoints,
  validateIngress,
  validateIngressClass,
  validateNetworkPolicy,
} from '../validation/network.ts'

const DEFAULT_INGRESS_CLASS = 'ingressclass.kubernetes.io/is-default-class'

function defaultProtocol(ports: unknown): void {
  for (const port of arrayOf(ports)) if (isObject(port)) port['protocol'] ??= 'TCP'
}

/** Endpoints, their slices, ingresses and policies. */
export const NETWORK_RULES: Readonly<Record<string, KindRules>> = {
  'discovery.k8s.io/EndpointSlice': {
    defaults(slice) {
      defaultProtocol(slice['ports'])
      for (const port of arrayOf(slice['ports'])) if (isObject(port)) port['name'] ??= ''
    },
  },
  '/Endpoints': {
    defaults(endpoints) {
      for (const subset of arrayOf(endpoints['subsets'])) defaultProtocol(objectOf(subset)['ports'])
    },
    validate: validateEndpoints,
  },
  'networking.k8s.io/NetworkPolicy': {
    defaults(policy) {
      const spec = objectOf(policy['spec'])
      policy['spec'] = spec
      spec['podSelector'] ??= {}
      if (arrayOf(spec['policyTypes']).length === 0)
        spec['policyTypes'] = arrayOf(spec['egress']).length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
      for (const key of ['ingress', 'egress'])
        for (const rule of arrayOf(spec[key])) defaultProtocol(objectOf(rule)['ports'])
    },
    validate: validateNetworkPolicy,
  },
  'networking.k8s.io/Ingress': {
    defaults(ingress, old) {
      if (old === undefined) ingress['status'] = { loadBalancer: {} }
    },
    admitCreate(ingress, environment) {
      const spec = objectOf(ingress['spec'])
      if (spec['ingressClassName'] !== undefined) return
      if (ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return
      const fallback = environment.store
        .list('networking.k8s.io/ingressclasses')
        .find((item) => item.metadata.annotations?.[DEFAULT_INGRESS_CLASS] === 'true')
      if (fallback !== undefined) spec['ingressClassName'] = fallback.metadata.name
    },
    validate: validateIngress,
  },
  'networking.k8s.io/IngressClass': { validate: validateIngressClass },
}
