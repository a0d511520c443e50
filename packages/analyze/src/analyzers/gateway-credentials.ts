import { decodeCredential, labelsMatch } from '@ambit/controller/judgement'
import { list, record, stringMap, text, texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { fullNameOf, specOf } from '../source.types.ts'

export const gatewayCredentials: Analyzer = {
  name: 'gateway.SecretAnalyzer',
  summary: 'Whether the Secrets an Istio Gateway names are there and can be used',
  codes: ['IST0101', 'IST0161'],
  *analyze(snapshot) {
    for (const about of snapshot.of('networking.istio.io/Gateway')) {
      const selector = stringMap(specOf(about)['selector'])
      // Secrets are those of the pods’ namespace, wherever the Gateway is.
      const namespace = snapshot.workloads.find(({ labels }) => labelsMatch(selector, labels))?.namespace
      if (namespace === undefined) continue
      for (const [i, server] of list(specOf(about)['servers']).entries()) {
        const tls = record(record(server)['tls'])
        const several = texts(tls['credentialNames'])
        for (const name of several.length > 0 ? several : [text(tls['credentialName'])]) {
          if (name === '') continue
          const path = ['spec', 'servers', i, 'tls', several.length > 0 ? 'credentialNames' : 'credentialName']
          const secret = snapshot.find('core/Secret', namespace, name)
          if (secret === undefined) {
            if (snapshot.lacks('core/Secret', namespace, name))
              yield {
                code: 'IST0101',
                about,
                path,
                message: `Referenced credentialName not found: ${JSON.stringify(name)}`,
              }
            continue
          }
          const { certificateProblem } = decodeCredential(secret.object)
          if (certificateProblem === undefined) continue
          const message = `The Secret ${namespace}/${name} that Gateway ${fullNameOf(about)} names can’t be used: ${certificateProblem}.`
          yield { code: 'IST0161', about, path, message }
        }
      }
    }
  },
}
