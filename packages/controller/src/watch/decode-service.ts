import { LABELS } from '@ambit/api'
import { type Ip, parseIp } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import type { EndpointSlice, KubeService, ServicePort } from '../domain.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { isRecord, list, portNumber, record, stringMap, text, texts } from './json.ts'

export function decodeService(object: KubeObject, domain: string): KubeService {
  const spec = specOf(object)
  const meta = decodeMeta(object)
  return {
    ...meta,
    hostname: `${meta.name}.${meta.namespace}.svc.${domain}`,
    clusterIps: clusterIps(spec),
    ipFamilies: texts(spec['ipFamilies']),
    selector: stringMap(spec['selector']),
    ports: list(spec['ports']).flatMap(decodePort),
    externalName: spec['type'] === 'ExternalName',
    internalTrafficLocal: spec['internalTrafficPolicy'] === 'Local',
    trafficDistribution: text(spec['trafficDistribution']),
    publishNotReady: spec['publishNotReadyAddresses'] === true,
  }
}

/** Headless Services have none: `None` is no address. */
function clusterIps(spec: Readonly<Record<string, unknown>>): readonly Ip[] {
  const all = texts(spec['clusterIPs'])
  const spelled = all.length > 0 ? all : [text(spec['clusterIP']) ?? '']
  return spelled.flatMap((value) => parseIp(value) ?? [])
}

function decodePort(entry: unknown): readonly ServicePort[] {
  const port = record(entry)
  const number = portNumber(port['port'])
  if (number === undefined) return []
  const target = port['targetPort']
  return [
    {
      name: text(port['name']) ?? '',
      port: number,
      protocol: text(port['protocol']) ?? 'TCP',
      appProtocol: text(port['appProtocol']),
      target: typeof target === 'string' ? numberOrName(target) : (portNumber(target) ?? number),
    },
  ]
}

function numberOrName(target: string): number | string {
  return /^\d+$/.test(target) ? Number(target) : target
}

/** Undefined for slices that belong to no Service or hold names instead of addresses. */
export function decodeEndpointSlice(object: KubeObject): EndpointSlice | undefined {
  const meta = decodeMeta(object)
  const serviceName = meta.labels[LABELS.serviceName]
  const { addressType, ports, endpoints } = object as {
    readonly addressType?: unknown
    readonly ports?: unknown
    readonly endpoints?: unknown
  } & KubeObject
  if (!serviceName || addressType === 'FQDN') return undefined
  return {
    ...meta,
    serviceName,
    ports: list(ports).flatMap((entry) => {
      const port = record(entry)
      const number = portNumber(port['port'])
      if (number === undefined) return []
      return [{ name: text(port['name']) ?? '', port: number, protocol: text(port['protocol']) ?? 'TCP' }]
    }),
    endpoints: list(endpoints).map((entry) => {
      const endpoint = record(entry)
      const target = endpoint['targetRef']
      const ready = record(endpoint['conditions'])['ready']
      return {
        ips: texts(endpoint['addresses']).flatMap((value) => parseIp(value) ?? []),
        ready: ready === undefined || ready === null || ready === true,
        podName: podName(target, meta.namespace),
        podUid: text(record(target)['uid']) || undefined,
      }
    }),
  }
}

function podName(target: unknown, namespace: string): string | undefined {
  if (!isRecord(target) || target['kind'] !== 'Pod') return undefined
  return (text(target['namespace']) || namespace) === namespace ? text(target['name']) : ''
}
