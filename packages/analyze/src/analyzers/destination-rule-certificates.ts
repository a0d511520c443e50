import { at, list, number, record, text } from '../field.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import { fullNameOf, type Sourced, specOf } from '../source.types.ts'

export const destinationRuleCertificates: Analyzer = {
  name: 'destinationrule.CaCertificateAnalyzer',
  summary: 'Whether a DestinationRule that asks for TLS says whose certificates are good',
  codes: ['IST0128', 'IST0129'],
  *analyze(snapshot) {
    for (const rule of snapshot.of('networking.istio.io/DestinationRule')) {
      const policy = record(specOf(rule)['trafficPolicy'])
      yield* problemOf(rule, policy['tls'], undefined)
      for (const [i, settings] of list(policy['portLevelSettings']).entries())
        yield* problemOf(rule, record(settings)['tls'], { i, port: number(at(settings, ['port', 'number'])) ?? 0 })
    }
  },
}

function* problemOf(
  about: Sourced,
  tls: unknown,
  level: { readonly i: number; readonly port: number } | undefined,
): Iterable<Finding> {
  const { mode, caCertificates, credentialName, insecureSkipVerify } = record(tls)
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL') return
  const spec = specOf(about)
  const named = text(credentialName) !== '' && spec['workloadSelector'] !== undefined
  if (text(caCertificates) !== '' || named) return
  const where = level === undefined ? '' : ` at port ${level.port}`
  const what =
    insecureSkipVerify === true
      ? 'no certificate is checked'
      : 'any authority the system trusts may have signed the server’s'
  const message = `DestinationRule ${fullNameOf(about)} asks for TLS (${mode}) with ${text(spec['host'])}${where} and names no caCertificates: ${what}.`
  const inside = level === undefined ? [] : ['portLevelSettings', level.i]
  yield {
    code: level === undefined ? 'IST0128' : 'IST0129',
    about,
    path: ['spec', 'trafficPolicy', ...inside, 'tls'],
    message,
  }
}
