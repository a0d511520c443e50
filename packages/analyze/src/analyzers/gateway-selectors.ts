import { labelsMatch } from '@ambit/controller/judgement'
import { list, number, record, spellSelector, stringMap, text } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import { specOf } from '../source.types.ts'
import type { Workload } from '../workload.ts'

export const gatewaySelectors: Analyzer = {
  name: 'gateway.IngressGatewayPortAnalyzer',
  summary: 'Whether an Istio Gateway selects pods, and their Service has its ports',
  codes: ['IST0101', 'IST0162'],
  *analyze(snapshot) {
    if (!snapshot.knows('core/Pod')) return
    for (const about of snapshot.of('networking.istio.io/Gateway')) {
      const spec = specOf(about)
      const selector = stringMap(spec['selector'])
      const spelled = spellSelector(selector)
      const pods = snapshot.workloads.filter(({ labels }) => labelsMatch(selector, labels))
      if (pods.length === 0) {
        const message = `Referenced selector not found: ${JSON.stringify(spelled)}`
        yield { code: 'IST0101', about, path: ['spec', 'selector'], message }
        continue
      }
      if (!snapshot.knows('core/Service')) continue
      const ports = portsOf(snapshot, pods)
      for (const [i, server] of list(spec['servers']).entries()) {
        const port = number(record(record(server)['port'])['number'])
        if (port === undefined || ports.has(port)) continue
        const message = `The Gateway listens on port ${port}, which no Service of the pods it selects (${spelled}) has: through the Service it can’t be reached.`
        yield { code: 'IST0162', about, path: ['spec', 'servers', i, 'port'], message }
      }
    }
  },
}

/** What Services of the pods listen on, and lead to. */
function portsOf(snapshot: Snapshot, pods: readonly Workload[]): ReadonlySet<number> {
  const ports = new Set<number>()
  for (const service of snapshot.of('core/Service')) {
    const spec = specOf(service)
    const selector = stringMap(spec['selector'])
    const { namespace } = service.object.metadata
    const selects = ({ labels, namespace: at }: Workload): boolean => at === namespace && labelsMatch(selector, labels)
    if (Object.keys(selector).length === 0 || !pods.some(selects)) continue
    for (const entry of list(spec['ports'])) {
      const { port, targetPort, protocol = 'TCP' } = record(entry)
      if (protocol !== 'TCP') continue
      for (const one of [number(port), number(targetPort) ?? (Number(text(targetPort)) || undefined)])
        if (one !== undefined) ports.add(one)
    }
  }
  return ports
}
