import { ipFamily, parseCidr, parseIp } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import type { Resolution, ServiceEntry, ServiceEntryPort, WorkloadEntry, WorkloadSpec } from '../domain.types.ts'
import { decodeMeta, specOf, statusOfObject } from './decode-meta.ts'
import { isRecord, type Json, list, portNumber, record, stringMap, text, texts, unsigned } from './json.ts'

const RESOLUTIONS: readonly Resolution[] = ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']

export function decodeServiceEntry(object: KubeObject): ServiceEntry {
  const spec = specOf(object)
  const selector = spec['workloadSelector']
  return {
    ...decodeMeta(object),
    hosts: texts(spec['hosts']),
    addresses: texts(spec['addresses']).flatMap((value) => parseCidr(value) ?? []),
    allocated: list(statusOfObject(object)['addresses']).flatMap((entry) => {
      const { value, host } = record(entry) as { readonly value?: unknown; readonly host?: unknown }
      const ip = parseIp(text(value) ?? '')
      return ip === undefined ? [] : [{ ip, host: text(host) ?? '' }]
    }),
    ports: list(spec['ports']).flatMap(decodePort),
    resolution: RESOLUTIONS.find((known) => known === spec['resolution']) ?? 'NONE',
    endpoints: list(spec['endpoints']).map((endpoint) => decodeWorkload(record(endpoint), {})),
    workloadSelector: isRecord(selector) ? stringMap(selector['labels']) : undefined,
    subjectAltNames: texts(spec['subjectAltNames']),
  }
}

export function decodeWorkloadEntry(object: KubeObject): WorkloadEntry {
  const meta = decodeMeta(object)
  const workload = decodeWorkload(specOf(object), meta.labels)
  return { ...meta, labels: workload.labels, workload }
}

function decodePort(entry: unknown): readonly ServiceEntryPort[] {
  const port = record(entry)
  const number = portNumber(port['number'])
  if (number === undefined) return []
  return [
    {
      name: text(port['name']) ?? '',
      port: number,
      protocol: text(port['protocol']) ?? '',
      target: portNumber(port['targetPort']) || undefined,
    },
  ]
}

function decodeWorkload(spec: Json, outer: Readonly<Record<string, string>>): WorkloadSpec {
  const address = text(spec['address']) ?? ''
  const ip = parseIp(address)
  const ports = Object.entries(record(spec['ports'])).flatMap(([name, value]) => {
    const number = portNumber(value)
    return number === undefined ? [] : [[name, number] as const]
  })
  return {
    ip,
    hostname: ip === undefined && address !== '' && !address.startsWith('unix:') ? address : undefined,
    address: ip ?? address,
    labels: { ...outer, ...stringMap(spec['labels']) },
    ports: Object.fromEntries(ports),
    network: text(spec['network']) ?? '',
    locality: text(spec['locality']) ?? '',
    weight: unsigned(spec['weight']) || undefined,
    serviceAccount: text(spec['serviceAccount']) ?? '',
  }
}

/** Whether a virtual address is a network rather than one address. */
export function isNetwork(address: { readonly ip: Parameters<typeof ipFamily>[0]; readonly length: number }): boolean {
  return address.length < (ipFamily(address.ip) === 4 ? 32 : 128)
}
