import { LABELS, workloadpb } from '@ambit/api'
import { appProtocolOf } from '@ambit/controller/judgement'
import { list, number, record, text } from '../field.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import { namespaceOf, type Sourced, specOf } from '../source.types.ts'

/** Istio's names that are read as something of their own, although traffic of them is copied like any other. */
const FURTHER: ReadonlySet<string> = new Set(['udp', 'hbone', 'mtls'])

export const portNames: Analyzer = {
  name: 'service.PortNameAnalyzer',
  summary: 'Whether names of Services’ ports say what is spoken there',
  codes: ['IST0118', 'IST0150'],
  *analyze(snapshot) {
    for (const about of snapshot.of('core/Service')) {
      const labels = about.object.metadata.labels ?? {}
      const isOurs = labels[LABELS.gatewayManaged] !== undefined || namespaceOf(about) === snapshot.rootNamespace
      if (!isOurs) yield* problemsOf(about)
    }
  },
}

function* problemsOf(about: Sourced): Iterable<Finding> {
  const spec = specOf(about)
  const isExternal = spec['type'] === 'ExternalName'
  for (const [i, entry] of list(spec['ports']).entries()) {
    const { name, port, targetPort, protocol = 'TCP', appProtocol } = record(entry)
    if (protocol !== 'TCP') continue
    const written = text(name)
    const known =
      appProtocolOf(text(appProtocol) || undefined, written) !== workloadpb.AppProtocol.UNKNOWN ||
      FURTHER.has(written.split('-', 1)[0]?.toLowerCase() ?? '')
    const path = ['spec', 'ports', i]
    if (isExternal && (!known || written === 'tcp')) {
      const message = `The port ${JSON.stringify(written)} of a Service of type ExternalName does not say what is spoken there: traffic that is matched by nothing may not get through.`
      yield { code: 'IST0150', about, path, message }
    } else if (!known) {
      const target = number(targetPort) ?? (text(targetPort) || number(port) || 0)
      const message = `Port name ${written} (port: ${number(port) ?? 0}, targetPort: ${target}) doesn't follow the naming convention of Istio port.`
      yield { code: 'IST0118', about, path, message }
    }
  }
}
