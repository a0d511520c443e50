import { type Ip, ipFromBytes, parseIp } from '@ambit/core'
import { SERVICE_NAME_LABEL } from '../controllers/endpoint-slice.ts'
import type { EndpointSlice, Service } from '../objects/cluster.types.ts'
import { type Answer, type DnsRecord, RCODE, TYPE } from './message.ts'

/** Seconds; short, so that a changed service is seen soon. */
const TTL = 5
/** Seconds a "no such name" may be remembered. */
const NEGATIVE_TTL = 5

export interface ZoneSource {
  readonly domain: string
  readonly serial: number
  service(namespace: string, name: string): Service | undefined
  services(): Iterable<Service>
  slices(namespace: string, service: string): Iterable<EndpointSlice>
  /** Of all services. */
  allSlices(): Iterable<EndpointSlice>
  hasNamespace(name: string): boolean
}

/** Version of Kubernetes' DNS specification, told under a name of its own. */
const SPECIFICATION = '1.1.0'
/** Names of ExternalName services that lead to each other. */
const MAX_CHAIN = 8

/**
 * Answers from the cluster's objects, by Kubernetes' DNS specification. There is no resolver behind it: names outside the
 * cluster's domain don't exist here.
 */
export function answerQuery(name: string, type: number, source: ZoneSource): Answer {
  const reverse = reverseAddress(name)
  if (reverse !== undefined) return answerReverse(name, reverse, type, source)
  const found = recordsOf(name, source)
  if (found === undefined) return negative(RCODE.nameError, source)
  const answers = found.filter((record) => matchesType(record, type)).map((record) => ({ ...record, name }))
  if (answers.length === 0) return negative(RCODE.ok, source)
  return {
    rcode: RCODE.ok,
    answers: [...answers, ...followed(answers, type, source)],
    authority: [],
    additional: answers.flatMap((record) => (record.type === 'SRV' ? addressesUnder(record.target, source) : [])),
  }
}

/** All records of a name; none where only longer names exist, undefined when there is no such name. */
function recordsOf(name: string, source: ZoneSource): DnsRecord[] | undefined {
  const { domain } = source
  if (name === domain || name === `svc.${domain}` || name === `pod.${domain}`) return []
  if (name === `dns-version.${domain}`) return [{ name, ttl: TTL, type: 'TXT', text: SPECIFICATION }]
  const [services, pods] = [`.svc.${domain}`, `.pod.${domain}`]
  if (name.endsWith(pods)) return podRecords(name.slice(0, -pods.length).split('.'), name, source)
  if (!name.endsWith(services)) return undefined
  const labels = name.slice(0, -services.length).split('.')
  return (
    serviceRecords(labels, source) ?? (labels.length === 1 && source.hasNamespace(labels[0] ?? '') ? [] : undefined)
  )
}

/** `10-244-1-2.<ns>`: whatever address is named, as CoreDNS answers by default (`pods insecure`). */
function podRecords(labels: readonly string[], name: string, source: ZoneSource): DnsRecord[] | undefined {
  const [namespace = '', dashed, ...rest] = labels.toReversed()
  if (rest.length > 0 || !source.hasNamespace(namespace)) return undefined
  if (dashed === undefined) return []
  const ip = parseIp(dashed.replaceAll('-', '.')) ?? parseIp(dashed.replaceAll('-', ':'))
  return ip === undefined ? undefined : [addressRecord(name, ip)]
}

/** What the name stands for leads to, as far as it is in the cluster. */
function followed(answers: readonly DnsRecord[], type: number, source: ZoneSource): DnsRecord[] {
  const records: DnsRecord[] = []
  let last = answers[0]
  while (last?.type === 'CNAME' && type !== TYPE.CNAME && records.length < MAX_CHAIN) {
    const { target } = last
    const next = (recordsOf(target.toLowerCase(), source) ?? []).filter((record) => matchesType(record, type))
    records.push(...next.map((record) => ({ ...record, name: target })))
    last = next[0]
  }
  return records
}

function addressesUnder(name: string, source: ZoneSource): DnsRecord[] {
  const records = recordsOf(name, source) ?? []
  return records.filter(({ type }) => type === 'A' || type === 'AAAA').map((record) => ({ ...record, name }))
}

function matchesType(record: DnsRecord, type: number): boolean {
  return (
    type === TYPE.ANY ||
    TYPE[record.type] === type ||
    (record.type === 'CNAME' && (type === TYPE.A || type === TYPE.AAAA))
  )
}

/** Records of `<service>.<ns>`, `<endpoint>.<service>.<ns>` and `_port._proto.<service>.<ns>`; undefined when there is no such name. */
function serviceRecords(labels: readonly string[], source: ZoneSource): DnsRecord[] | undefined {
  const [namespace = '', serviceName = '', ...front] = labels.toReversed()
  const service = source.service(namespace, serviceName)
  if (service === undefined) return undefined
  const host = `${serviceName}.${namespace}.svc.${source.domain}`
  const slices = [...source.slices(namespace, serviceName)]
  const [first, second, ...rest] = front
  if (rest.length > 0) return undefined
  if (first === undefined) return addressesOf(service, slices, host)
  if (second !== undefined) return srvRecords(service, slices, { port: second, protocol: first, host })
  if (service.spec.clusterIP !== 'None') return undefined
  const named = endpointAddresses(slices).filter((endpoint) => endpoint.label === first)
  return named.length === 0 ? undefined : named.map(({ ip }) => addressRecord(host, ip))
}

function addressesOf(service: Service, slices: readonly EndpointSlice[], host: string): DnsRecord[] {
  if (service.spec.type === 'ExternalName') {
    const target = (service.spec.externalName ?? '').replace(/\.$/, '')
    return target === '' ? [] : [{ name: host, ttl: TTL, type: 'CNAME', target }]
  }
  if (service.spec.clusterIP === 'None') {
    return endpointAddresses(slices).map(({ ip }) => addressRecord(host, ip))
  }
  const addresses = service.spec.clusterIPs ?? [service.spec.clusterIP ?? '']
  return addresses.flatMap((text) => {
    const ip = parseIp(text)
    return ip === undefined ? [] : [addressRecord(host, ip)]
  })
}

function srvRecords(
  service: Service,
  slices: readonly EndpointSlice[],
  o: { readonly port: string; readonly protocol: string; readonly host: string },
): DnsRecord[] | undefined {
  if (!o.port.startsWith('_') || !o.protocol.startsWith('_')) return undefined
  const [name, protocol] = [o.port.slice(1), o.protocol.slice(1).toUpperCase()]
  if (service.spec.clusterIP !== 'None') {
    const port = service.spec.ports?.find((one) => one.name === name && (one.protocol ?? 'TCP') === protocol)
    return port === undefined ? undefined : [{ name: o.host, ttl: TTL, type: 'SRV', port: port.port, target: o.host }]
  }
  const records = slices.flatMap((slice) => {
    const port = slice.ports?.find((one) => one.name === name && (one.protocol ?? 'TCP') === protocol)?.port
    if (port === undefined) return []
    return endpointAddresses([slice]).map(({ label }) => {
      return { name: o.host, ttl: TTL, type: 'SRV' as const, port, target: `${label}.${o.host}` }
    })
  })
  return records.length === 0 ? undefined : records
}

/** Of ready endpoints; those of a service that publishes the others too are marked ready in its slices. */
function endpointAddresses(slices: readonly EndpointSlice[]): { readonly ip: Ip; readonly label: string }[] {
  return slices.flatMap((slice) =>
    (slice.endpoints ?? []).flatMap((endpoint) => {
      if (endpoint.conditions?.ready === false) return []
      return endpoint.addresses.flatMap((text) => {
        const ip = parseIp(text)
        return ip === undefined ? [] : [{ ip, label: endpoint.hostname ?? ip.replaceAll(/[.:]/g, '-') }]
      })
    }),
  )
}

function addressRecord(name: string, ip: Ip): DnsRecord {
  return { name, ttl: TTL, type: ip.includes(':') ? 'AAAA' : 'A', ip }
}

function negative(rcode: number, source: ZoneSource): Answer {
  const soa: DnsRecord = {
    name: source.domain,
    ttl: NEGATIVE_TTL,
    type: 'SOA',
    zone: source.domain,
    serial: source.serial,
  }
  return { rcode, answers: [], authority: [soa], additional: [] }
}

function answerReverse(name: string, ip: Ip, type: number, source: ZoneSource): Answer {
  const targets = [...reverseTargets(ip, source)]
  if (targets.length === 0) return negative(RCODE.nameError, source)
  if (type !== TYPE.PTR && type !== TYPE.ANY) return negative(RCODE.ok, source)
  const answers = targets.map((target) => ({ name, ttl: TTL, type: 'PTR' as const, target }))
  return { rcode: RCODE.ok, answers, authority: [], additional: [] }
}

/** A service of that address, else endpoints that have a host name. */
function reverseTargets(ip: Ip, source: ZoneSource): ReadonlySet<string> {
  for (const { spec, metadata } of source.services())
    if ((spec.clusterIPs ?? [spec.clusterIP]).includes(ip))
      return new Set([`${metadata.name}.${metadata.namespace}.svc.${source.domain}`])
  const names = new Set<string>()
  for (const { endpoints = [], metadata } of source.allSlices()) {
    const service = metadata.labels?.[SERVICE_NAME_LABEL]
    for (const { addresses, hostname } of endpoints)
      if (hostname !== undefined && addresses.includes(ip))
        names.add(`${hostname}.${service}.${metadata.namespace}.svc.${source.domain}`)
  }
  return names
}

/** The address a reverse name asks about. */
export function reverseAddress(name: string): Ip | undefined {
  if (name.endsWith('.in-addr.arpa'))
    return parseIp(name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.'))
  if (!name.endsWith('.ip6.arpa')) return undefined
  const nibbles = name.slice(0, -'.ip6.arpa'.length).split('.').reverse().join('')
  return /^[0-9a-f]{32}$/.test(nibbles) ? ipFromBytes(Buffer.from(nibbles, 'hex')) : undefined
}
