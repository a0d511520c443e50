import { groupKindOf, labelsMatch } from '@ambit/controller/judgement'
import { list, record, stringMap, text, texts } from './field.ts'
import type { AnyObject } from './source.types.ts'

/** Secret with who signs clients' certificates, beside the server's own (Istio). */
const CLIENT_CA_SUFFIX = '-cacert'

/** Secrets that gateways among the objects name, `namespace/name`: only these are worth the right to read a Secret. */
export function namedSecrets(objects: readonly AnyObject[]): readonly string[] {
  const names = new Set<string>()
  const pods = objects.filter((object) => groupKindOf(object) === 'core/Pod')
  for (const object of objects) {
    const kind = groupKindOf(object)
    const spec = record(object.spec)
    if (kind === 'networking.istio.io/Gateway') {
      const selector = stringMap(spec['selector'])
      const selected = pods.filter(({ metadata }) => labelsMatch(selector, metadata.labels ?? {}))
      const namespaces = new Set(selected.map(({ metadata }) => metadata.namespace ?? ''))
      for (const server of list(spec['servers'])) {
        const tls = record(record(server)['tls'])
        for (const name of [text(tls['credentialName']), ...texts(tls['credentialNames'])])
          for (const namespace of name === '' ? [] : namespaces) {
            names.add(`${namespace}/${name}`)
            names.add(`${namespace}/${name}${CLIENT_CA_SUFFIX}`)
          }
      }
    }
    if (kind === 'gateway.networking.k8s.io/Gateway')
      for (const listener of list(spec['listeners']))
        for (const entry of list(record(record(listener)['tls'])['certificateRefs'])) {
          const reference = record(entry)
          const namespace = text(reference['namespace']) || (object.metadata.namespace ?? '')
          if (text(reference['name']) === '') continue
          names.add(`${namespace}/${text(reference['name'])}`)
          names.add(`${namespace}/${text(reference['name'])}${CLIENT_CA_SUFFIX}`)
        }
  }
  return [...names].toSorted()
}
