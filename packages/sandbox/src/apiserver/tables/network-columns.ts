import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, textOf } from '../json.ts'
import { age, type ColumnSet, selectorText } from './cells.ts'

/** Entries of a cell before the rest is only counted. */
const MAX_SHOWN = 3

function firstOf(items: readonly string[]): string {
  if (items.length <= MAX_SHOWN) return items.join(',')
  return `${items.slice(0, MAX_SHOWN).join(',')} + ${items.length - MAX_SHOWN} more...`
}

function endpointsText(endpoints: KubeObject): string {
  const addresses = arrayOf(endpoints['subsets']).flatMap((subset) => {
    const ports = arrayOf(at(subset, 'ports'))
    const ips = arrayOf(at(subset, 'addresses')).map((item) => textOf(at(item, 'ip')))
    const host = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip)
    return ports.length === 0
      ? ips
      : ports.flatMap((port) => ips.map((ip) => `${host(ip)}:${textOf(at(port, 'port'))}`))
  })
  return addresses.length === 0 ? '<none>' : firstOf(addresses)
}

function ingressHosts(ingress: KubeObject): string {
  const hosts = arrayOf(at(ingress, 'spec', 'rules')).flatMap((rule) => {
    const host = at(rule, 'host')
    return typeof host === 'string' && host !== '' ? [host] : []
  })
  return hosts.length === 0 ? '*' : firstOf(hosts)
}

/** Endpoints, ingresses and policies. */
export const NETWORK_COLUMNS: Readonly<Record<string, ColumnSet>> = {
  'discovery.k8s.io/EndpointSlice': {
    columns: ['Name', 'AddressType', 'Ports', 'Endpoints', 'Age'],
    cells(object, nowMs) {
      const ports = arrayOf(object['ports']).map((port) => textOf(at(port, 'port') ?? '*'))
      const addresses = arrayOf(object['endpoints']).flatMap((endpoint) => arrayOf(at(endpoint, 'addresses')))
      const shown =
        addresses.length > 3
          ? `${addresses.slice(0, 3).join(',')} + ${addresses.length - 3} more...`
          : addresses.join(',')
      return [
        object.metadata.name,
        object['addressType'],
        ports.join(',') || '<unset>',
        shown || '<unset>',
        age(object, nowMs),
      ]
    },
  },
  'networking.k8s.io/NetworkPolicy': {
    columns: ['Name', 'Pod-Selector', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      selectorText(at(object, 'spec', 'podSelector')),
      age(object, nowMs),
    ],
  },
  '/Endpoints': {
    columns: ['Name', 'Endpoints', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, endpointsText(object), age(object, nowMs)],
  },
  'networking.k8s.io/Ingress': {
    columns: ['Name', 'Class', 'Hosts', 'Address', 'Ports', 'Age'],
    cells(object, nowMs) {
      const addresses = arrayOf(at(object, 'status', 'loadBalancer', 'ingress')).map((item) =>
        textOf(at(item, 'ip') ?? at(item, 'hostname')),
      )
      return [
        object.metadata.name,
        at(object, 'spec', 'ingressClassName') ?? '<none>',
        ingressHosts(object),
        addresses.join(','),
        arrayOf(at(object, 'spec', 'tls')).length > 0 ? '80, 443' : '80',
        age(object, nowMs),
      ]
    },
  },
  'networking.k8s.io/IngressClass': {
    columns: ['Name', 'Controller', 'Parameters', 'Age'],
    cells(object, nowMs) {
      const parameters = at(object, 'spec', 'parameters')
      const group = at(parameters, 'apiGroup')
      const kind = `${textOf(at(parameters, 'kind'))}${group ? `.${textOf(group)}` : ''}`
      const shown = parameters === undefined ? '<none>' : `${kind}/${textOf(at(parameters, 'name'))}`
      return [object.metadata.name, at(object, 'spec', 'controller'), shown, age(object, nowMs)]
    },
  },
}
