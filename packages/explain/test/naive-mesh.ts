// Who may do what by policies as they are written: read from the reference alone (attachment, conversion, evaluation), sharing no code
// with the control plane or the proxies.

export interface WrittenSource {
  readonly principals?: string[]
  readonly notPrincipals?: string[]
  readonly namespaces?: string[]
  readonly notNamespaces?: string[]
  readonly serviceAccounts?: string[]
  readonly ipBlocks?: string[]
  readonly notIpBlocks?: string[]
  readonly requestPrincipals?: string[]
}

export interface WrittenOperation {
  readonly ports?: string[]
  readonly notPorts?: string[]
  readonly methods?: string[]
  readonly notMethods?: string[]
  readonly paths?: string[]
  readonly notPaths?: string[]
  readonly hosts?: string[]
}

export interface WrittenCondition {
  readonly key: string
  readonly values?: string[]
  readonly notValues?: string[]
}

export interface WrittenRule {
  readonly from?: { readonly source: WrittenSource }[]
  readonly to?: { readonly operation: WrittenOperation }[]
  readonly when?: WrittenCondition[]
}

export interface WrittenPolicy {
  readonly namespace: string
  readonly dryRun: boolean
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'
  readonly attach: 'namespace' | 'selector' | 'other-selector' | 'service' | 'gateway'
  readonly rules: readonly WrittenRule[] | undefined
}

type Mode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT'

export interface WrittenAuthentication {
  readonly level: 'mesh' | 'namespace' | 'workload'
  readonly mode: Mode
  readonly ports: readonly (readonly [port: number, mode: Mode])[]
}

export interface Facts {
  /** `td/ns/NS/sa/SA`; undefined: plain text. */
  readonly principal: string | undefined
  readonly ip: string
  readonly port: number
  readonly http?: {
    readonly method: string
    readonly path: string
    readonly host: string
    readonly team: string | undefined
  }
}

const HTTP_FIELDS = ['requestPrincipals', 'methods', 'notMethods', 'paths', 'notPaths', 'hosts']

/** A server's pod in `shop`, asked by its ztunnel. */
export function naiveZtunnel(
  policies: readonly WrittenPolicy[],
  authentications: readonly WrittenAuthentication[],
  facts: Facts,
): boolean {
  if (facts.principal === undefined && refusesPlain(authentications, facts.port)) return false
  const candidates = policies.filter(
    ({ namespace, attach, action, dryRun }) =>
      (namespace === 'shop' || namespace === 'istio-system') &&
      (attach === 'namespace' || attach === 'selector') &&
      (action === 'ALLOW' || action === 'DENY') &&
      !dryRun,
  )
  const matches = ({ action, rules = [], namespace }: WrittenPolicy): boolean =>
    rules.some((rule) => (action === 'ALLOW' && asksHttp(rule) ? false : ztunnelRule(rule, facts, namespace)))
  if (candidates.some((one) => one.action === 'DENY' && matches(one))) return false
  const allow = candidates.filter(({ action }) => action === 'ALLOW')
  return allow.length === 0 || allow.some(matches)
}

/** The service `web` in `shop`, asked by its waypoint. */
export function naiveWaypoint(policies: readonly WrittenPolicy[], facts: Facts): boolean {
  const candidates = policies.filter(
    ({ namespace, attach, dryRun }) =>
      namespace === 'shop' && (attach === 'service' || attach === 'gateway') && !dryRun,
  )
  const matches = ({ rules = [] }: WrittenPolicy): boolean => rules.some((rule) => waypointRule(rule, facts))
  if (candidates.some((one) => one.action === 'CUSTOM' && matches(one))) return false
  if (candidates.some((one) => one.action === 'DENY' && matches(one))) return false
  const allow = candidates.filter(({ action }) => action === 'ALLOW')
  return allow.length === 0 || allow.some(matches)
}

function refusesPlain(authentications: readonly WrittenAuthentication[], port: number): boolean {
  const at = (level: WrittenAuthentication['level']): WrittenAuthentication | undefined =>
    authentications.find((one) => one.level === level)
  const own = at('workload')
  const inherited = [at('namespace')?.mode, at('mesh')?.mode].find((mode) => mode !== undefined && mode !== 'UNSET')
  const effective = own !== undefined && own.mode !== 'UNSET' ? own.mode : (inherited ?? 'PERMISSIVE')
  const ports = own?.ports ?? []
  if (effective !== 'STRICT') return ports.some(([one, mode]) => one === port && mode === 'STRICT')
  const exempt = ports.filter(([, mode]) => mode === 'PERMISSIVE' || mode === 'DISABLE')
  // Of an inherited mode DISABLE alone exempts nothing.
  const counts = own?.mode === 'STRICT' || exempt.some(([, mode]) => mode === 'PERMISSIVE')
  return !(counts && exempt.some(([one]) => one === port))
}

function asksHttp({ from = [], to = [], when = [] }: WrittenRule): boolean {
  return (
    from.some(({ source }) => HTTP_FIELDS.some((field) => field in source)) ||
    to.some(({ operation }) => HTTP_FIELDS.some((field) => field in operation)) ||
    when.some(({ key }) => key.startsWith('request.'))
  )
}

/** What is blanked leaves an entry that never matches where nothing else is in it. */
function ztunnelRule({ from = [], to = [], when = [] }: WrittenRule, facts: Facts, place: string): boolean {
  const lists = (entry: object): boolean =>
    Object.entries(entry).some(([field, list]) => !HTTP_FIELDS.includes(field) && (list as string[]).length > 0)
  const fromHolds = from.length === 0 || from.some(({ source }) => lists(source) && sourceHolds(source, facts, place))
  const toHolds = to.length === 0 || to.some(({ operation }) => lists(operation) && portHolds(operation, facts))
  return fromHolds && toHolds && when.every((one) => !one.key.startsWith('request.') && conditionHolds(one, facts))
}

function waypointRule({ from = [], to = [], when = [] }: WrittenRule, facts: Facts): boolean {
  const { http } = facts
  const operationHolds = (operation: WrittenOperation): boolean =>
    portHolds(operation, facts) &&
    pair(operation.methods, operation.notMethods, (one) => text(one, http?.method ?? '')) &&
    pair(operation.paths, operation.notPaths, (one) => text(one, http?.path ?? '')) &&
    pair(operation.hosts, undefined, (one) => text(one.toLowerCase(), http?.host.toLowerCase() ?? ''))
  // Nobody has a token that was checked.
  const fromHolds =
    from.length === 0 ||
    from.some(({ source }) => sourceHolds(source, facts, 'shop') && (source.requestPrincipals ?? []).length === 0)
  const toHolds = to.length === 0 || to.some(({ operation }) => operationHolds(operation))
  return fromHolds && toHolds && when.every((one) => conditionHolds(one, facts))
}

/** An account without a namespace is of the policy's own. */
function sourceHolds(source: WrittenSource, { principal, ip }: Facts, place: string): boolean {
  const [, , namespace = '', , account] = principal?.split('/') ?? []
  const accounts = (source.serviceAccounts ?? []).map((one) => (one.includes('/') ? one : `${place}/${one}`))
  return (
    pair(source.principals, source.notPrincipals, (one) => principal !== undefined && text(one, principal)) &&
    pair(source.namespaces, source.notNamespaces, (one) => text(one, namespace)) &&
    pair(accounts, undefined, (one) => principal !== undefined && one === `${namespace}/${account}`) &&
    pair(source.ipBlocks, source.notIpBlocks, (one) => inNetwork(one, ip))
  )
}

function portHolds({ ports, notPorts }: WrittenOperation, { port }: Facts): boolean {
  return pair(ports, notPorts, (one) => Number(one) === port)
}

function conditionHolds({ key, values, notValues }: WrittenCondition, facts: Facts): boolean {
  const { principal, ip, port, http } = facts
  switch (key) {
    case 'source.namespace':
      return pair(values, notValues, (one) => text(one, principal?.split('/')[2] ?? ''))
    case 'source.principal':
      return pair(values, notValues, (one) => principal !== undefined && text(one, principal))
    case 'source.ip':
      return pair(values, notValues, (one) => inNetwork(one, ip))
    case 'destination.port':
      return pair(values, notValues, (one) => Number(one) === port)
    default:
      // A header: one that is sent empty is there.
      return pair(values, notValues, (one) => http?.team !== undefined && (one === '*' || text(one, http.team)))
  }
}

function pair(some: readonly string[] = [], none: readonly string[] = [], hits: (one: string) => boolean): boolean {
  return (some.length === 0 || some.some(hits)) && !none.some(hits)
}

function text(pattern: string, value: string): boolean {
  if (pattern === '*') return value !== ''
  if (pattern.startsWith('*')) return value.endsWith(pattern.slice(1))
  return pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern
}

function inNetwork(network: string, address: string): boolean {
  const [base = '', length = '32'] = network.split('/')
  const number = (ip: string): bigint => ip.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n)
  const shift = 32n - BigInt(length)
  return number(base) >> shift === number(address) >> shift
}
