import { completeHost } from '@ambit/controller/judgement'
import { destinationsOf } from '../destinations.ts'
import { texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { fullNameOf, namespaceOf, specOf } from '../source.types.ts'

export const ingressSubsets: Analyzer = {
  name: 'virtualservice.IngressSubsetAnalyzer',
  summary: 'Whether a gateway’s VirtualService passes by the subsets that the mesh’s one divides a host into',
  codes: ['IST0140'],
  *analyze(snapshot) {
    const services = snapshot.of('networking.istio.io/VirtualService')
    const divided = new Map<string, string>()
    for (const service of services) {
      const full = (host: string): string => completeHost(host, namespaceOf(service), snapshot.domain)
      const own = new Set(texts(specOf(service)['hosts']).map(full))
      for (const { host, subset, mirror } of destinationsOf(service))
        if (!mirror && subset !== '' && own.has(full(host))) divided.set(full(host), fullNameOf(service))
    }
    for (const about of services) {
      if (texts(specOf(about)['gateways']).every((name) => name === 'mesh')) continue
      for (const { host, subset, mirror, path } of destinationsOf(about)) {
        const by = divided.get(completeHost(host, namespaceOf(about), snapshot.domain))
        if (mirror || subset !== '' || by === undefined || by === fullNameOf(about)) continue
        const message = `Requests that come by the gateways of ${fullNameOf(about)} go to ${host} as a whole: the subsets in VirtualService ${by} are not for them.`
        yield { code: 'IST0140', about, path, message }
      }
    }
  },
}
