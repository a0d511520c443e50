import { labelsMatch } from '@ambit/controller/judgement'
import { list, record, stringMap, text, texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { fullNameOf, type Sourced, specOf } from '../source.types.ts'

export const gatewayCertificates: Analyzer = {
  name: 'gateway.CertificateAnalyzer',
  summary: 'Whether several Istio Gateways of the same pods have the same certificate',
  codes: ['IST0138'],
  *analyze(snapshot) {
    const gateways = snapshot.of('networking.istio.io/Gateway')
    for (const about of gateways) {
      const own = new Set(credentialsOf(about))
      const selector = stringMap(specOf(about)['selector'])
      const others = gateways.filter(
        (other) =>
          other !== about &&
          labelsMatch(selector, stringMap(specOf(other)['selector'])) &&
          credentialsOf(other).some((name) => own.has(name)),
      )
      if (others.length === 0) continue
      const names = [about, ...others].map(fullNameOf).toSorted().join(', ')
      const message = `The Gateways ${names} have the same certificate: clients that keep a connection of HTTP/2 for several hosts are answered 404 where the other Gateway was meant.`
      yield { code: 'IST0138', about, path: ['metadata', 'name'], message }
    }
  },
}

function credentialsOf(gateway: Sourced): readonly string[] {
  return list(specOf(gateway)['servers']).flatMap((server) => {
    const tls = record(record(server)['tls'])
    const names = [text(tls['credentialName']), ...texts(tls['credentialNames'])]
    const [certificate, key] = [text(tls['serverCertificate']), text(tls['privateKey'])]
    return [...names, certificate !== '' && key !== '' ? `file ${certificate} ${key}` : ''].filter(
      (name) => name !== '',
    )
  })
}
