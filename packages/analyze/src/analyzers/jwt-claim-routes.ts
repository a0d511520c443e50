import { labelsMatch } from '@ambit/controller/judgement'
import { list, record, stringMap, texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import { fullNameOf, namespaceOf, type Sourced, specOf } from '../source.types.ts'
import type { Workload } from '../workload.ts'

/** Names of headers that stand for claims of a checked token (Istio). */
const CLAIM = /^@request\.auth\.claims[.[]/

export const jwtClaimRoutes: Analyzer = {
  name: 'virtualservice.JWTClaimRouteAnalyzer',
  summary: 'Whether tokens are checked where a VirtualService routes by their claims',
  codes: ['IST0149'],
  *analyze(snapshot) {
    if (!snapshot.knows('security.istio.io/RequestAuthentication')) return
    for (const about of snapshot.of('networking.istio.io/VirtualService')) {
      const claim = claimOf(about)
      if (claim === undefined) continue
      for (const written of texts(specOf(about)['gateways'])) {
        const slash = written.indexOf('/')
        const namespace = slash < 0 ? namespaceOf(about) : written.slice(0, slash)
        const gateway = snapshot.find('networking.istio.io/Gateway', namespace, written.slice(slash + 1))
        if (gateway === undefined) continue
        const selector = stringMap(specOf(gateway)['selector'])
        const pod = snapshot.workloads.find(
          (one) => labelsMatch(selector, one.labels) && !hasAuthentication(snapshot, one),
        )
        if (pod === undefined) continue
        const message = `The VirtualService routes by the claim ${claim}, but no RequestAuthentication applies to pod ${pod.name} of gateway ${fullNameOf(gateway)}: there no token is checked and no claim known.`
        yield { code: 'IST0149', about, message }
      }
    }
  },
}

function claimOf(service: Sourced): string | undefined {
  for (const rule of list(specOf(service)['http']))
    for (const match of list(record(rule)['match']))
      for (const field of ['headers', 'withoutHeaders']) {
        const found = Object.keys(record(record(match)[field])).find((key) => CLAIM.test(key))
        if (found !== undefined) return found
      }
  return undefined
}

function hasAuthentication(snapshot: Snapshot, { namespace, labels }: Workload): boolean {
  return snapshot.of('security.istio.io/RequestAuthentication').some((one) => {
    const place = namespaceOf(one)
    if (place !== namespace && place !== snapshot.rootNamespace) return false
    return labelsMatch(stringMap(record(specOf(one)['selector'])['matchLabels']), labels)
  })
}
