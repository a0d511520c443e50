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
  hasNamespace(name: string): boolean
}

/**
 * Answers from the cluster's objects, by Kubernetes' DNS specification 1.1. There is no resolver behind it: names outside
 * the cluster's domain don't exist here.
 */
export function answerQuery(name: string, type: number, source: ZoneSource): Answer {
  const reverse = reverseAddress(name)
  if (reverse !== undefined) return answerReverse(name, reverse, type, source)
  const suffix = `.svc.${source.domain}`
  const inZone = name === source.domain || name.endsWith(`.${source.domain}`)
  if (!inZone) return negative(RCODE.nameError, source)
  if (!name.endsWith(suffix)) {
    const exists = name === source.domain || name === suffix.slice(1)
    return negative(exists ? RCODE.ok : RCODE.nameError, source)
  }
  const labels = name.slice(0, -suffix.length).split('.')
  const found = serviceRecords(labels, source)
  if (found === undefined) {
    const emptyName = labels.length === 1 && source.hasNamespace(labels[0] ?? '')
    return negative(emptyName ? RCODE.ok : RCODE.nameError, source)
  }
  const answers = found.filter((record) => matchesType(record, type)).map((record) => ({ ...record, name }))
  if (answers.length === 0) return negative(RCODE.ok, source)
  return { rcode: RCODE.ok, answers, authority: [], additional: [] }
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
  const named = endpointAddresses(slices, true).filter((endpoint) => endpoint.label === first)
  return named.length === 0 ? undefined : named.map(({ ip }) => addressRecord(host, ip))
}

function addressesOf(service: Service, slices: readonly EndpointSlice[], host: string): DnsRecord[] {
  if (service.spec.type === 'ExternalName') {
    const target = (service.spec.externalName ?? '').replace(/\.$/, '')
    return target === '' ? [] : [{ name: host, ttl: TTL, type: 'CNAME', target }]
  }
  if (service.spec.clusterIP === 'None') {
    const publish = service.spec.publishNotReadyAddresses === true
    return endpointAddresses(slices, publish).map(({ ip }) => addressRecord(host, ip))
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
    return endpointAddresses([slice], false).map(({ label }) => {
      return { name: o.host, ttl: TTL, type: 'SRV' as const, port, target: `${label}.${o.host}` }
    })
  })
  return records.length === 0 ? undefined : records
}

function endpointAddresses(
  slices: readonly EndpointSlice[],
  unready: boolean,
): { readonly ip: Ip; readonly label: string }[] {
  return slices.flatMap((slice) =>
    (slice.endpoints ?? []).flatMap((endpoint) => {
      if (!unready && endpoint.conditions?.ready === false) return []
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
  for (const service of source.services()) {
    if (!(service.spec.clusterIPs ?? [service.spec.clusterIP]).includes(ip)) continue
    const target = `${service.metadata.name}.${service.metadata.namespace}.svc.${source.domain}`
    if (type !== TYPE.PTR && type !== TYPE.ANY) return negative(RCODE.ok, source)
    return { rcode: RCODE.ok, answers: [{ name, ttl: TTL, type: 'PTR', target }], authority: [], additional: [] }
  }
  return negative(RCODE.nameError, source)
}

/** The address a reverse name asks about. */
export function reverseAddress(name: string): Ip | undefined {
  if (name.endsWith('.in-addr.arpa'))
    return parseIp(name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.'))
  if (!name.endsWith('.ip6.arpa')) return undefined
  const nibbles = name.slice(0, -'.ip6.arpa'.length).split('.').reverse().join('')
  return /^[0-9a-f]{32}$/.test(nibbles) ? ipFromBytes(Buffer.from(nibbles, 'hex')) : undefined
}

export function slicesOfService(slices: Iterable<EndpointSlice>, namespace: string, service: string): EndpointSlice[] {
  return [...slices].filter(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[SERVICE_NAME_LABEL] === service,
  )
}
