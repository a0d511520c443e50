import { LABELS } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import type { Gateway, GatewayClass, GatewayListener, ListenerTls, Namespace, Node } from '../domain.types.ts'
import { decodeMeta, specOf, statusOfObject } from './decode-meta.ts'
import { isRecord, type Json, list, portNumber, record, stringMap, text } from './json.ts'
import { decodeLabelSelector } from './label-selector.ts'

const GATEWAY_GROUP = 'gateway.networking.k8s.io'

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
    listeners: list(spec['listeners']).map((listener) => decodeListener(record(listener), object)),
    servedBy: list(spec['addresses']).flatMap((entry) => {
      const { type, value } = record(entry)
      return type === 'Hostname' && typeof value === 'string' ? [value] : []
    }),
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

function decodeListener(listener: Json, gateway: KubeObject): GatewayListener {
  const allowed = record(listener['allowedRoutes'])
  const namespaces = record(allowed['namespaces'])
  const from = namespaces['from']
  return {
    name: text(listener['name']) ?? '',
    protocol: text(listener['protocol']) ?? '',
    port: portNumber(listener['port']) ?? 0,
    allowedFrom: from === 'All' || from === 'Selector' ? from : 'Same',
    allowedSelector: decodeLabelSelector(namespaces['selector']),
    allowedKinds: list(allowed['kinds']).map((entry) => {
      const { group, kind } = record(entry)
      return { group: text(group) ?? GATEWAY_GROUP, kind: text(kind) ?? '' }
    }),
    hostname: (text(listener['hostname']) ?? '').toLowerCase(),
    tls: isRecord(listener['tls']) ? decodeTls(listener['tls'], gateway.metadata.namespace ?? '') : undefined,
  }
}

function decodeTls(tls: Json, namespace: string): ListenerTls {
  return {
    mode: text(tls['mode']) ?? 'Terminate',
    certificates: list(tls['certificateRefs']).map((entry) => {
      const reference = record(entry)
      return {
        group: text(reference['group']) ?? '',
        kind: text(reference['kind']) ?? 'Secret',
        namespace: text(reference['namespace']) || namespace,
        name: text(reference['name']) ?? '',
      }
    }),
    options: stringMap(tls['options']),
  }
}
