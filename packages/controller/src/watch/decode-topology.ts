import { LABELS } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import type { Gateway, GatewayClass, GatewayListener, Namespace, Node } from '../domain.types.ts'
import { decodeMeta, specOf, statusOfObject } from './decode-meta.ts'
import { list, portNumber, record, text } from './json.ts'
import { decodeLabelSelector } from './label-selector.ts'

export function decodeNamespace(object: KubeObject): Namespace {
  const { name, labels, annotations } = decodeMeta(object)
  return { name, labels, annotations }
}

export function decodeNode(object: KubeObject): Node {
  const { name, labels } = decodeMeta(object)
  return {
    name,
    locality: {
      region: labels[LABELS.region] ?? labels['failure-domain.beta.kubernetes.io/region'] ?? '',
      zone: labels[LABELS.zone] ?? labels['failure-domain.beta.kubernetes.io/zone'] ?? '',
      subzone: labels[LABELS.subzone] ?? '',
    },
  }
}

export function decodeGateway(object: KubeObject): Gateway {
  const spec = specOf(object)
  return {
    ...decodeMeta(object),
    className: text(spec['gatewayClassName']) ?? '',
    listeners: list(spec['listeners']).map((listener) => decodeListener(record(listener))),
    addresses: list(statusOfObject(object)['addresses']).flatMap((entry) => {
      const { type, value } = record(entry) as { readonly type?: unknown; readonly value?: unknown }
      return typeof value === 'string' ? [{ type: text(type), value }] : []
    }),
  }
}

export function decodeGatewayClass(object: KubeObject): GatewayClass {
  const { name, labels, annotations } = decodeMeta(object)
  return { name, labels, annotations, controllerName: text(specOf(object)['controllerName']) ?? '' }
}

function decodeListener(listener: Readonly<Record<string, unknown>>): GatewayListener {
  const namespaces = record(record(listener['allowedRoutes'])['namespaces'])
  const from = namespaces['from']
  return {
    name: text(listener['name']) ?? '',
    protocol: text(listener['protocol']) ?? '',
    port: portNumber(listener['port']) ?? 0,
    allowedFrom: from === 'All' || from === 'Selector' ? from : 'Same',
    allowedSelector: decodeLabelSelector(namespaces['selector']),
  }
}
