import { completeHost } from '@ambit/controller/judgement'
import { texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { fullNameOf, namespaceOf, type Sourced, specOf } from '../source.types.ts'

export const virtualServiceHosts: Analyzer = {
  name: 'virtualservice.ConflictingMeshGatewayHostsAnalyzer',
  summary: 'Whether several VirtualServices of the mesh are for the same host',
  codes: ['IST0109'],
  *analyze(snapshot) {
    const byHost = new Map<string, Set<Sourced>>()
    const members = (scope: string, host: string): Set<Sourced> =>
      byHost.getOrInsertComputed(`${scope}|${host}`, () => new Set<Sourced>())
    const services = snapshot.of('networking.istio.io/VirtualService').filter(isForMesh)
    for (const service of services)
      for (const scope of scopesOf(service))
        for (const host of texts(specOf(service)['hosts']))
          members(scope, completeHost(host, namespaceOf(service), snapshot.domain)).add(service)
    for (const service of services) {
      const conflict = texts(specOf(service)['hosts'])
        .map((host) => completeHost(host, namespaceOf(service), snapshot.domain))
        .flatMap((host) => {
          const all = scopesOf(service).flatMap((scope) => [...(byHost.get(`${scope}|${host}`) ?? [])])
          const names = [...new Set([...all, ...(byHost.get(`*|${host}`) ?? [])])].map(fullNameOf).toSorted()
          return names.length > 1 ? [{ host, names }] : []
        })[0]
      if (conflict === undefined) continue
      const { host, names } = conflict
      const message = `The VirtualServices ${names.join(', ')} are all for the host ${host} in the mesh: which of their rules comes first is a matter of their age. Put them into one.`
      yield { code: 'IST0109', about: service, path: ['metadata', 'name'], message }
    }
  },
}

function isForMesh(service: Sourced): boolean {
  const gateways = texts(specOf(service)['gateways'])
  return gateways.length === 0 || gateways.includes('mesh')
}

/** Namespaces that see it; `*` is all of them. */
function scopesOf(service: Sourced): readonly string[] {
  const written = texts(specOf(service)['exportTo'])
  if (written.length === 0 || written.includes('*')) return ['*']
  return written.filter((entry) => entry !== '~').map((entry) => (entry === '.' ? namespaceOf(service) : entry))
}
