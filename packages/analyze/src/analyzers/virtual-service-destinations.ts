import { completeHost, judgeDestination } from '@ambit/controller/judgement'
import { destinationsOf } from '../destinations.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import { namespaceOf, type Sourced } from '../source.types.ts'

export const virtualServiceDestinations: Analyzer = {
  name: 'virtualservice.DestinationHostAnalyzer',
  summary: 'Whether the hosts, ports and subsets a VirtualService sends to are there',
  codes: ['IST0101', 'IST0112'],
  *analyze(snapshot) {
    for (const service of snapshot.of('networking.istio.io/VirtualService')) yield* problemsOf(snapshot, service)
  },
}

function* problemsOf(snapshot: Snapshot, about: Sourced): Iterable<Finding> {
  const namespace = namespaceOf(about)
  const { state } = snapshot.judgement
  for (const { host, port, subset, mirror, path } of destinationsOf(about)) {
    const complete = completeHost(host, namespace, snapshot.domain)
    const verdict = judgeDestination(state, { host: complete, port, subset }, namespace)
    const missing = (what: string, name: string): Finding => ({
      code: 'IST0101',
      about,
      path,
      message: `Referenced ${what} not found: ${JSON.stringify(name)}`,
    })
    switch (verdict.problem) {
      case 'no-host':
        if (snapshot.knowsHost(complete)) yield missing(mirror ? 'mirror host' : 'host', host)
        break
      case 'no-port':
        yield missing('host:port', `${host}:${port}`)
        break
      case 'no-subset':
        if (snapshot.knows('networking.istio.io/DestinationRule'))
          yield missing(`${mirror ? 'mirror' : 'host'}+subset in destinationrule`, `${host}+${subset}`)
        break
      case 'port-needed':
        yield {
          code: 'IST0112',
          about,
          path,
          message: `The service ${JSON.stringify(host)} has the ports ${verdict.ports.join(', ')}: the destination has to say which one it means.`,
        }
        break
      case undefined:
        break
    }
  }
}
