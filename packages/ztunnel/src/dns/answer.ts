import type { Ip } from '@ambit/core'
import { ipFamily } from '@ambit/core'
import type { Service, Workload } from '@ambit/state'
import { candidatesFor, podSearchDomains } from './candidates.ts'
import { CLASS_IN, hostnameOf, type Name, parseName, type Question, type ResourceRecord, TYPE } from './wire.ts'

/** How long clients may keep a local answer, seconds (Istio). */
export const LOCAL_TTL_SECONDS = 30

/** The services and endpoints names are answered from. */
export interface NameDirectory {
  servicesByHostname(hostname: string): readonly Service[]
  /** Workloads that serve it, unhealthy ones only where the service wants them. */
  endpointWorkloads(service: Service): readonly Workload[]
}

export interface AnswerOptions {
  readonly network: string
  readonly clusterDomain: string
  readonly preferredNamespace: string | undefined
  readonly ipv6Enabled: boolean
  /** Undefined: those of the querying pod. */
  readonly searchDomains: readonly string[] | undefined
  readonly random: () => number
}

export type Answer =
  | { readonly kind: 'forward' }
  | { readonly kind: 'local'; readonly service: Service; readonly records: readonly ResourceRecord[] }

/** Decides whether a question is about a service of the mesh, and with which records it is answered. */
export function answerQuestion(
  question: Question,
  client: Workload,
  directory: NameDirectory,
  options: AnswerOptions,
): Answer {
  const query = hostnameOf(question.name)
  const family = question.type === TYPE.A ? 4 : question.type === TYPE.AAAA ? 6 : undefined
  if (query === undefined || query === '' || family === undefined || question.class !== CLASS_IN)
    return { kind: 'forward' }
  const path = {
    namespace: client.namespace,
    clusterDomain: options.clusterDomain,
    searchDomains: options.searchDomains ?? podSearchDomains(client.namespace, options.clusterDomain),
  }
  for (const candidate of candidatesFor(query, path)) {
    const service = chooseService(directory.servicesByHostname(candidate.hostname), client.namespace, options)
    if (service === undefined) continue
    const ips = familyEnabled(service, family, options) ? addressesOf(service, family, directory, options) : []
    const stripped = candidate.wildcard || candidate.stripped === undefined ? undefined : parseName(candidate.stripped)
    return { kind: 'local', service, records: recordsFor(question, stripped, shuffled(ips, options.random)) }
  }
  return { kind: 'forward' }
}

/** The service that a hostname means to clients of a namespace; undefined when none of them is to be answered. */
function chooseService(
  services: readonly Service[],
  namespace: string,
  { clusterDomain, preferredNamespace }: AnswerOptions,
): Service | undefined {
  const visible = services.filter(
    (service) =>
      (service.visibility === 'Public' || service.namespace === namespace) &&
      (service.vips.length > 0 || service.hostname.endsWith(`.svc.${clusterDomain}`)),
  )
  return (
    visible.find((service) => service.namespace === namespace) ??
    visible.find((service) => service.canonical) ??
    visible.find((service) => service.namespace === preferredNamespace) ??
    visible[0]
  )
}

function familyEnabled(service: Service, family: 4 | 6, { ipv6Enabled }: AnswerOptions): boolean {
  if (family === 6 && !ipv6Enabled) return false
  return (
    service.ipFamilies === undefined ||
    service.ipFamilies === 'Dual' ||
    service.ipFamilies === (family === 4 ? 'IPv4' : 'IPv6')
  )
}

function addressesOf(
  service: Service,
  family: 4 | 6,
  directory: NameDirectory,
  { network }: AnswerOptions,
): readonly Ip[] {
  if (service.vips.length > 0) {
    return service.vips.filter((vip) => vip.network === network && ipFamily(vip.ip) === family).map((vip) => vip.ip)
  }
  const ips = directory
    .endpointWorkloads(service)
    .map((workload) => workload.ips.find((ip) => ipFamily(ip) === family))
    .filter((ip): ip is Ip => ip !== undefined)
  return [...new Set(ips)]
}

function recordsFor(question: Question, stripped: Name | undefined, ips: readonly Ip[]): readonly ResourceRecord[] {
  const common = { class: CLASS_IN, ttlSeconds: LOCAL_TTL_SECONDS }
  const owner = stripped ?? question.name
  const addresses = ips.map(
    (ip): ResourceRecord => ({ name: owner, type: question.type, ...common, data: { kind: 'address', ip } }),
  )
  if (stripped === undefined || addresses.length === 0) return addresses
  return [{ name: question.name, type: TYPE.CNAME, ...common, data: { kind: 'cname', name: stripped } }, ...addresses]
}

/** Fisher-Yates. */
function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [list[i], list[j]]
    if (a !== undefined && b !== undefined) [list[i], list[j]] = [b, a]
  }
  return list
}
