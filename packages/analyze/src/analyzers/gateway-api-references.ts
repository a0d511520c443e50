import { classOf } from '@ambit/controller/judgement'
import { list, record, text } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { namespaceOf, specOf } from '../source.types.ts'

const GROUP = 'gateway.networking.k8s.io'
const GATEWAY = `${GROUP}/Gateway`
const CLASS = `${GROUP}/GatewayClass`

export const gatewayApiReferences: Analyzer = {
  name: 'k8sgateway.ReferenceAnalyzer',
  summary: 'Whether classes of Gateways and parents of routes are there',
  codes: ['IST0101'],
  *analyze(snapshot) {
    for (const about of snapshot.of(GATEWAY)) {
      const name = text(specOf(about)['gatewayClassName'])
      const isKnown = snapshot.find(CLASS, '', name) !== undefined || classOf(name, undefined) !== undefined
      if (isKnown || !snapshot.knows(CLASS)) continue
      const message = `Referenced GatewayClass not found: ${JSON.stringify(name)}`
      yield { code: 'IST0101', about, path: ['spec', 'gatewayClassName'], message }
    }
    for (const kind of ['HTTPRoute', 'GRPCRoute'])
      for (const about of snapshot.of(`${GROUP}/${kind}`))
        for (const [i, entry] of list(specOf(about)['parentRefs']).entries()) {
          const parent = record(entry)
          if ((text(parent['kind']) || 'Gateway') !== 'Gateway') continue
          const [namespace, name] = [text(parent['namespace']) || namespaceOf(about), text(parent['name'])]
          if (!snapshot.lacks(GATEWAY, namespace, name)) continue
          const message = `Referenced gateway not found: ${JSON.stringify(`${namespace}/${name}`)}`
          yield { code: 'IST0101', about, path: ['spec', 'parentRefs', i, 'name'], message }
        }
  },
}
