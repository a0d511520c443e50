import {
  AmbitError,
  type Cidr,
  DEFAULT_TRUST_DOMAIN,
  type Ip,
  messageOf,
  parseCidr,
  parseIp,
  parsePort,
  parseSpiffeId,
  type SpiffeId,
} from '@ambit/core'
import {
  type Authorization,
  type CidrMatch,
  compileCidr,
  EMPTY_MATCH,
  type GatewayAddress,
  type LoadBalancing,
  type Match,
  type PortMap,
  type RoutingScope,
  type Service,
  type ServiceAccountMatch,
  type StringMatch,
  type Workload,
} from '@ambit/state'
import { parseDocument, type ScalarTag } from 'yaml'
import { MAX_YAML_ALIASES } from './limits.ts'

/** What a local file declares, in the types xDS resources become. */
export interface LocalXds {
  readonly workloads: readonly Workload[]
  readonly services: readonly Service[]
  readonly policies: readonly Authorization[]
}

/** The local file cannot be read whole: nothing of it is used. */
export class LocalXdsError extends AmbitError {
  override readonly code = 'local-xds-invalid'
}

/** Reads the file of `LOCAL_XDS_PATH`; throws {@link LocalXdsError} naming the place. */
export function parseLocalXds(text: string): LocalXds {
  const document = parseDocument(text, { customTags: STRING_MATCH_TAGS })
  const [problem] = document.errors
  if (problem !== undefined) throw new LocalXdsError(`local xDS: ${problem.message}`)
  const root = new Node(plainValue(document) ?? {}, 'local xDS')
  const file = root.keys({
    workloads: (node) => node.list(workloadOf),
    services: (node) => node.list(serviceOf),
    policies: (node) => node.list(policyOf),
  })
  return { workloads: file.workloads ?? [], services: file.services ?? [], policies: file.policies ?? [] }
}

/** Aliases are resolved only here: one without its anchor, or a flood of them, throws whatever the parser found. */
function plainValue(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_YAML_ALIASES })
  } catch (error) {
    throw new LocalXdsError(`local xDS: ${messageOf(error)}`, { cause: error })
  }
}

/** `!Exact value` of upstream's files becomes the JSON form `{Exact: value}`. */
const STRING_MATCH_TAGS: ScalarTag[] = ['Exact', 'Prefix', 'Suffix'].map((name) => ({
  tag: `!${name}`,
  resolve: (value: string) => ({ [name]: value }),
}))
STRING_MATCH_TAGS.push({
  tag: '!Presence',
  collection: 'seq',
  resolve: () => ({ Presence: [] }),
} as unknown as ScalarTag)

/** A value with its place in the file, for messages. */
class Node {
  readonly #value: unknown
  readonly #path: string

  constructor(value: unknown, path: string) {
    this.#value = value
    this.#path = path
  }

  fail(want: string): never {
    throw new LocalXdsError(
      `${this.#path}: want ${want}, found ${JSON.stringify(this.#value)?.slice(0, 80) ?? 'nothing'}`,
    )
  }

  get path(): string {
    return this.#path
  }

  text(): string {
    return typeof this.#value === 'string' ? this.#value : this.fail('text')
  }

  bool(): boolean {
    return typeof this.#value === 'boolean' ? this.#value : this.fail('true or false')
  }

  integer(): number {
    return Number.isSafeInteger(this.#value) && Number(this.#value) >= 0
      ? Number(this.#value)
      : this.fail('a whole number')
  }

  port(): number {
    return parsePort(String(this.#value)) ?? this.fail('a port')
  }

  list<T>(read: (node: Node) => T): readonly T[] {
    if (!Array.isArray(this.#value)) return this.fail('a list')
    return this.#value.map((value: unknown, index) => read(new Node(value, `${this.#path}[${index}]`)))
  }

  map<T>(read: (node: Node, key: string) => T): ReadonlyMap<string, T> {
    return new Map(this.#entries().map(([key, value]) => [key, read(new Node(value, `${this.#path}.${key}`), key)]))
  }

  /** Reads known keys; unknown ones are an error, because a misspelt one would silently not apply. */
  keys<T extends Record<string, unknown>>(readers: { readonly [K in keyof T]: (node: Node) => T[K] }): Partial<T> {
    const found: Partial<T> = {}
    for (const [key, value] of this.#entries()) {
      const read = Object.hasOwn(readers, key) ? readers[key as keyof T] : undefined
      if (read === undefined) throw new LocalXdsError(`${this.#path}: unknown key ${JSON.stringify(key)}`)
      if (value !== null) found[key as keyof T] = read(new Node(value, `${this.#path}.${key}`))
    }
    return found
  }

  oneOf<const T extends string>(...words: readonly T[]): T {
    return words.find((word) => word === this.#value) ?? this.fail(words.join(', '))
  }

  #entries(): [string, unknown][] {
    if (typeof this.#value !== 'object' || this.#value === null || Array.isArray(this.#value))
      return this.fail('a mapping')
    return this.#value instanceof Map
      ? Array.from(this.#value as Map<unknown, unknown>, ([key, value]) => [String(key), value])
      : Object.entries(this.#value)
  }
}

function workloadOf(node: Node): Workload {
  const read = node.keys({
    workloadIps: (n) => n.list(ipOf),
    namespace: (n) => n.text(),
    services: (n) => n.map(portMapOf),
    uid: (n) => n.text(),
    name: (n) => n.text(),
    protocol: (n) => n.oneOf('TCP', 'HBONE'),
    networkMode: (n) => n.oneOf('Standard', 'HostNetwork'),
    trustDomain: (n) => n.text(),
    serviceAccount: (n) => n.text(),
    network: (n) => n.text(),
    workloadName: (n) => n.text(),
    workloadType: (n) => n.oneOf('deployment', 'cronjob', 'pod', 'job'),
    canonicalName: (n) => n.text(),
    canonicalRevision: (n) => n.text(),
    hostname: (n) => n.text(),
    node: (n) => n.text(),
    nativeTunnel: (n) => n.bool(),
    applicationTunnel: (n) => n.keys({ protocol: (p) => p.oneOf('NONE', 'PROXY'), port: (p) => p.port() }),
    authorizationPolicies: (n) => n.list((p) => p.text()),
    status: (n) => n.oneOf('Healthy', 'Unhealthy'),
    clusterId: (n) => n.text(),
    locality: (n) => n.keys({ region: (p) => p.text(), zone: (p) => p.text(), subzone: (p) => p.text() }),
    capacity: (n) => n.integer(),
    waypoint: gatewayOf,
    networkGateway: gatewayOf,
  })
  if (read.workloadIps === undefined || read.namespace === undefined || read.services === undefined) {
    return node.fail('workloadIps, namespace and services')
  }
  // Upstream leaves the trust domain empty, which no certificate can have; the default is what is meant.
  const trustDomain = read.trustDomain || DEFAULT_TRUST_DOMAIN
  const serviceAccount = read.serviceAccount || 'default'
  const name = read.name ?? ''
  return {
    uid: read.uid || `${read.namespace}/${name || read.workloadIps.join(',')}`,
    name,
    namespace: read.namespace,
    network: read.network ?? '',
    ips: read.workloadIps,
    hostname: read.hostname ?? '',
    protocol: read.protocol ?? 'TCP',
    trustDomain,
    serviceAccount,
    identity: { trustDomain, namespace: read.namespace, serviceAccount },
    node: read.node ?? '',
    workloadName: read.workloadName ?? '',
    workloadType: read.workloadType ?? 'deployment',
    canonicalName: read.canonicalName ?? '',
    canonicalRevision: read.canonicalRevision ?? '',
    nativeTunnel: read.nativeTunnel ?? false,
    applicationTunnel: read.applicationTunnel && {
      protocol: read.applicationTunnel.protocol ?? 'NONE',
      port: read.applicationTunnel.port,
    },
    waypoint: read.waypoint,
    networkGateway: read.networkGateway,
    networkMode: read.networkMode ?? 'Standard',
    services: read.services,
    authorizationPolicies: read.authorizationPolicies ?? [],
    status: read.status ?? 'Healthy',
    clusterId: read.clusterId || 'Kubernetes',
    locality: { region: '', zone: '', subzone: '', ...read.locality },
    capacity: read.capacity ?? 1,
  }
}

function serviceOf(node: Node): Service {
  const read = node.keys({
    name: (n) => n.text(),
    namespace: (n) => n.text(),
    hostname: (n) => n.text(),
    vips: (n) => n.list(networkIpOf),
    cidrVips: (n) => n.list(cidrVipOf),
    ports: portMapOf,
    subjectAltNames: (n) => n.list((san) => san.text()),
    waypoint: gatewayOf,
    weightedWaypoints: (n) => n.list(weightedWaypointOf),
    loadBalancer: loadBalancingOf,
    ipFamilies: (n) => n.oneOf('Dual', 'IPv4', 'IPv6'),
    canonical: (n) => n.bool(),
    visibility: (n) => n.oneOf('Public', 'Namespace'),
  })
  if (read.namespace === undefined || read.hostname === undefined) return node.fail('namespace and hostname')
  const subjectAltNames = read.subjectAltNames ?? []
  return {
    name: read.name ?? '',
    namespace: read.namespace,
    hostname: read.hostname,
    vips: read.vips ?? [],
    cidrVips: read.cidrVips ?? [],
    ports: read.ports ?? new Map(),
    subjectAltNames,
    identities: subjectAltNames.map(parseSpiffeId).filter((id): id is SpiffeId => id !== undefined),
    waypoint: read.waypoint,
    weightedWaypoints: read.weightedWaypoints ?? [],
    ingressUseWaypoint: false,
    loadBalancing: read.loadBalancer ?? { mode: 'Standard', routingPreferences: [], healthPolicy: 'OnlyHealthy' },
    ipFamilies: read.ipFamilies,
    canonical: read.canonical ?? false,
    visibility: read.visibility ?? 'Public',
  }
}

function policyOf(node: Node): Authorization {
  const read = node.keys({
    name: (n) => n.text(),
    namespace: (n) => n.text(),
    scope: (n) => n.oneOf('Global', 'Namespace', 'WorkloadSelector'),
    action: (n) => n.oneOf('Allow', 'Deny'),
    rules: (n) => n.list((rule) => ({ clauses: rule.list((clause) => ({ matches: clause.list(matchOf) })) })),
    dryRun: (n) => n.bool(),
  })
  const { name, namespace, scope, action, dryRun } = read
  if (
    name === undefined ||
    namespace === undefined ||
    scope === undefined ||
    action === undefined ||
    dryRun === undefined
  ) {
    return node.fail('name, namespace, scope, action and dryRun')
  }
  return { name, namespace, scope, action, dryRun, rules: read.rules ?? [] }
}

function matchOf(node: Node): Match {
  const strings = (n: Node): readonly StringMatch[] => n.list(stringMatchOf)
  const accounts = (n: Node): readonly ServiceAccountMatch[] => n.list(accountOf)
  const cidrs = (n: Node): readonly CidrMatch[] => n.list((each) => compileCidr(cidrOf(each)))
  const ports = (n: Node): readonly number[] => n.list((each) => each.port())
  const read = node.keys({
    namespaces: strings,
    notNamespaces: strings,
    principals: strings,
    notPrincipals: strings,
    serviceAccounts: accounts,
    notServiceAccounts: accounts,
    sourceIps: cidrs,
    notSourceIps: cidrs,
    destinationIps: cidrs,
    notDestinationIps: cidrs,
    destinationPorts: ports,
    notDestinationPorts: ports,
  })
  return { ...EMPTY_MATCH, ...read }
}

function stringMatchOf(node: Node): StringMatch {
  const read = node.keys({
    Exact: (n) => n.text(),
    Prefix: (n) => n.text(),
    Suffix: (n) => n.text(),
    Presence: () => true,
  })
  if (read.Exact !== undefined) return { kind: 'exact', value: read.Exact }
  if (read.Prefix !== undefined) return { kind: 'prefix', value: read.Prefix }
  if (read.Suffix !== undefined) return { kind: 'suffix', value: read.Suffix }
  return read.Presence === true ? { kind: 'presence' } : node.fail('Exact, Prefix, Suffix or Presence')
}

function accountOf(node: Node): ServiceAccountMatch {
  const { namespace, serviceAccount } = node.keys({ namespace: (n) => n.text(), serviceAccount: (n) => n.text() })
  return namespace === undefined || serviceAccount === undefined
    ? node.fail('namespace and serviceAccount')
    : { namespace, serviceAccount }
}

function ipOf(node: Node): Ip {
  return parseIp(node.text()) ?? node.fail('an IP address')
}

function cidrOf(node: Node): Cidr {
  return parseCidr(node.text()) ?? node.fail('a network such as 10.0.0.0/8')
}

/** `network/ip`, where the network may be empty. */
function networkIpOf(node: Node): { readonly network: string; readonly ip: Ip } {
  const text = node.text()
  const slash = text.lastIndexOf('/')
  const ip = slash < 0 ? undefined : parseIp(text.slice(slash + 1))
  return ip === undefined ? node.fail('network/ip') : { network: text.slice(0, slash), ip }
}

function cidrVipOf(node: Node): { readonly network: string; readonly cidr: Cidr } {
  const { network, cidr } = node.keys({ network: (n) => n.text(), cidr: cidrOf })
  return cidr === undefined ? node.fail('cidr') : { network: network ?? '', cidr }
}

function portMapOf(node: Node): PortMap {
  const ports = new Map<number, number>()
  for (const [key, target] of node.map((value) => value.port())) {
    ports.set(parsePort(key) ?? node.fail('ports as keys'), target)
  }
  return ports
}

/** An address where the part after the slash is one, otherwise `namespace/hostname`. */
function gatewayOf(node: Node): GatewayAddress {
  const { destination, hboneMtlsPort } = node.keys({ destination: (n) => n, hboneMtlsPort: (n) => n.port() })
  const text = destination?.text() ?? node.fail('destination')
  const slash = text.lastIndexOf('/')
  if (slash < 0) return node.fail('network/ip or namespace/hostname')
  const [head, tail] = [text.slice(0, slash), text.slice(slash + 1)]
  const ip = parseIp(tail)
  return {
    destination:
      ip === undefined ? { kind: 'hostname', namespace: head, hostname: tail } : { kind: 'address', network: head, ip },
    hboneMtlsPort: hboneMtlsPort ?? 0,
  }
}

function weightedWaypointOf(node: Node): { readonly destination: GatewayAddress; readonly weight: number } {
  const { destination, weight } = node.keys({ destination: gatewayOf, weight: (n) => n.integer() })
  return destination === undefined ? node.fail('destination') : { destination, weight: weight ?? 0 }
}

function loadBalancingOf(node: Node): LoadBalancing {
  const scope = (n: Node): RoutingScope => n.oneOf('Network', 'Region', 'Zone', 'Subzone', 'Node', 'Cluster')
  const read = node.keys({
    routingPreferences: (n) => n.list(scope),
    mode: (n) => n.oneOf('Standard', 'Strict', 'Failover', 'Passthrough'),
    healthPolicy: (n) => n.oneOf('OnlyHealthy', 'AllowAll'),
  })
  return { mode: 'Standard', routingPreferences: [], healthPolicy: 'OnlyHealthy', ...read }
}
