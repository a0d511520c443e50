import { intersectHosts, labelsMatch } from '@ambit/controller/judgement'
import { list, number, record, spellSelector, stringMap, text, texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import { fullNameOf, namespaceOf, type Sourced, specOf } from '../source.types.ts'

type Labels = Readonly<Record<string, string>>

export const gatewayConflicts: Analyzer = {
  name: 'gateway.ConflictingGatewayAnalyzer',
  summary: 'Whether Istio Gateways of the same pods are for the same port and host',
  codes: ['IST0145'],
  *analyze(snapshot) {
    const gateways = snapshot.of('networking.istio.io/Gateway')
    for (const about of gateways) {
      const selector = selectorOf(about)
      for (const [i, server] of serversOf(about).entries()) {
        const rivals = gateways.filter(
          (other) =>
            other !== about &&
            serversOf(other).some(
              ({ port, bind, hosts }) => port === server.port && bind === server.bind && meet(hosts, server.hosts),
            ) &&
            sharePods(snapshot, selector, selectorOf(other)),
        )
        if (rivals.length === 0) continue
        const names = rivals.map(fullNameOf).toSorted().join(', ')
        const message = `The Gateways ${names} are for the same pods (${spellSelector(selector)}), port ${server.port} and hosts (${server.hosts.join(', ')}): only one of them counts.`
        yield { code: 'IST0145', about, path: ['spec', 'servers', i], message }
      }
    }
  },
}

function selectorOf(gateway: Sourced): Labels {
  return stringMap(specOf(gateway)['selector'])
}

function serversOf(gateway: Sourced): readonly { port: number; bind: string; hosts: readonly string[] }[] {
  return list(specOf(gateway)['servers']).map((entry) => {
    const server = record(entry)
    return {
      port: number(record(server['port'])['number']) ?? 0,
      bind: text(server['bind']),
      hosts: texts(server['hosts']).map((host) =>
        host.startsWith('./') ? `${namespaceOf(gateway)}/${host.slice(2)}` : host,
      ),
    }
  })
}

/** The same hosts for the same namespaces; a wider host beside a narrower one is no conflict. */
function meet(a: readonly string[], b: readonly string[]): boolean {
  const split = (written: string): readonly [string, string] => {
    const slash = written.indexOf('/')
    return slash < 0 ? ['*', written] : [written.slice(0, slash), written.slice(slash + 1)]
  }
  return a.map(split).some(([place, host]) =>
    b.map(split).some(([otherPlace, other]) => {
      const samePlace = place === otherPlace || place === '*' || otherPlace === '*'
      return samePlace && host === other && intersectHosts([host], [other]).length > 0
    }),
  )
}

function sharePods(snapshot: Snapshot, a: Labels, b: Labels): boolean {
  if (spellSelector(a) === spellSelector(b)) return true
  return snapshot.workloads.some(({ labels }) => labelsMatch(a, labels) && labelsMatch(b, labels))
}
