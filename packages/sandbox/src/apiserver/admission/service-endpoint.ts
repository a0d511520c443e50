import { arrayOf, at } from '../json.ts'
import type { ObjectStore } from '../store/object-store.ts'

export type ServiceEndpoint =
  | { readonly ok: true; readonly host: string; readonly port: number }
  | { readonly ok: false; readonly why: string }

/** A ready endpoint behind a port of a service, by what its EndpointSlices say; another one each time. */
export function serviceEndpoint(store: ObjectStore, namespace: string, name: string, port: number): ServiceEndpoint {
  const service = store.get('/services', namespace, name)
  if (service === undefined) return { ok: false, why: `service "${name}" not found` }
  const servicePort = arrayOf(at(service, 'spec', 'ports')).find((item) => at(item, 'port') === port)
  if (servicePort === undefined) return { ok: false, why: `no service port ${port} found for service "${name}"` }
  const portName = at(servicePort, 'name') ?? ''
  const found: { host: string; port: number }[] = []
  for (const slice of store.list('discovery.k8s.io/endpointslices', namespace)) {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name || slice['addressType'] === 'FQDN') continue
    const target = at(
      arrayOf(slice['ports']).find((item) => (at(item, 'name') ?? '') === portName),
      'port',
    )
    if (typeof target !== 'number') continue
    for (const endpoint of arrayOf(slice['endpoints'])) {
      if (at(endpoint, 'conditions', 'ready') === false) continue
      const [address] = arrayOf(at(endpoint, 'addresses'))
      if (typeof address === 'string') found.push({ host: address, port: target })
    }
  }
  const chosen = found[Math.floor(Math.random() * found.length)]
  return chosen === undefined
    ? { ok: false, why: `no endpoints available for service "${name}"` }
    : { ok: true, ...chosen }
}
