import { createHash } from 'node:crypto'
import { SERVICE_NAME_LABEL } from '../controllers/endpoint-slice.ts'
import type { EndpointSlice, Service } from '../objects/cluster.types.ts'

export const TABLE = 'ambit-services'

interface Target {
  readonly ip: string
  readonly port: number
}

/** One translated destination. */
export interface Frontend {
  readonly ip: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly nodePort: number | undefined
  readonly targets: readonly Target[]
}

/** What the service proxy translates: every cluster IP and port with the endpoints that are to serve it. */
export function frontendsOf(services: Iterable<Service>, slices: Iterable<EndpointSlice>): Frontend[] {
  const byService = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    const key = `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME_LABEL]}`
    byService.set(key, [...(byService.get(key) ?? []), slice])
  }
  const frontends: Frontend[] = []
  for (const service of services) {
    const addresses = service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : [])
    const own = byService.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? []
    for (const ip of addresses) {
      if (ip === 'None' || ip === '') continue
      for (const port of service.spec.ports ?? []) {
        const protocol = (port.protocol ?? 'TCP').toLowerCase()
        if (protocol !== 'tcp' && protocol !== 'udp') continue
        const targets = targetsOf(own, { family: ip.includes(':') ? 'IPv6' : 'IPv4', name: port.name ?? '', protocol })
        frontends.push({
          ip,
          protocol,
          port: port.port,
          nodePort: ip.includes(':') ? undefined : port.nodePort,
          targets,
        })
      }
    }
  }
  return frontends.sort((a, b) => (frontendKey(a) < frontendKey(b) ? -1 : 1))
}

function targetsOf(
  slices: readonly EndpointSlice[],
  o: { readonly family: string; readonly name: string; readonly protocol: string },
): Target[] {
  const pick = (
    test: (conditions: { ready?: boolean; serving?: boolean; terminating?: boolean }) => boolean,
  ): Target[] =>
    slices
      .filter((slice) => slice.addressType === o.family)
      .flatMap((slice) => {
        const port = slice.ports?.find(
          ({ name, protocol }) => (name ?? '') === o.name && (protocol ?? 'TCP').toLowerCase() === o.protocol,
        )?.port
        if (port === undefined) return []
        const endpoints = (slice.endpoints ?? []).filter(({ conditions }) => test(conditions ?? {}))
        return endpoints.flatMap(({ addresses }) => addresses.slice(0, 1).map((ip) => ({ ip, port })))
      })
  const ready = pick((conditions) => conditions.ready !== false)
  // With none ready, those still serving while they end are better than nobody (kube-proxy).
  return ready.length > 0 ? ready : pick((conditions) => conditions.serving === true && conditions.terminating === true)
}

function frontendKey(frontend: Frontend): string {
  return `${frontend.ip} . ${frontend.protocol} . ${frontend.port}`
}

/**
 * The nft script that replaces the whole service table in one transaction. Sources are kept; only a pod that reaches
 * itself through its service is masqueraded, because it could not tell its own packets apart, and NodePort clients.
 */
export function servicesRuleset(frontends: readonly Frontend[]): string {
  const serving = frontends.filter(({ targets }) => targets.length > 0)
  const idle = frontends.filter(({ targets }) => targets.length === 0)
  const family = (list: readonly Frontend[], six: boolean): Frontend[] =>
    list.filter(({ ip }) => ip.includes(':') === six)
  const loops = (six: boolean): string[] => [
    ...new Set(family(serving, six).flatMap(({ targets }) => targets.map(({ ip }) => `${ip} . ${ip}`))),
  ]
  const verdicts = (six: boolean): string[] =>
    family(serving, six).map((one) => `${frontendKey(one)} : goto ${chainOf(one)}`)
  const nodePorts = serving.filter(({ nodePort }) => nodePort !== undefined)
  return [
    `table inet ${TABLE}`,
    `delete table inet ${TABLE}`,
    `table inet ${TABLE} {`,
    map('frontends4', 'ipv4_addr . inet_proto . inet_service : verdict', verdicts(false)),
    map('frontends6', 'ipv6_addr . inet_proto . inet_service : verdict', verdicts(true)),
    map(
      'nodeports',
      'inet_proto . inet_service : verdict',
      nodePorts.map((one) => `${one.protocol} . ${one.nodePort} : goto ${chainOf(one)}`),
    ),
    set('idle4', 'ipv4_addr . inet_proto . inet_service', family(idle, false).map(frontendKey)),
    set('idle6', 'ipv6_addr . inet_proto . inet_service', family(idle, true).map(frontendKey)),
    set('loops4', 'ipv4_addr . ipv4_addr', loops(false)),
    set('loops6', 'ipv6_addr . ipv6_addr', loops(true)),
    ...serving.map(chainText),
    '  chain services {',
    '    ip daddr . meta l4proto . th dport vmap @frontends4',
    '    ip6 daddr . meta l4proto . th dport vmap @frontends6',
    ...(nodePorts.length > 0 ? ['    fib daddr type local meta l4proto . th dport vmap @nodeports'] : []),
    '  }',
    '  chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }',
    '  chain output { type nat hook output priority -100; policy accept; jump services; }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    '    ct status dnat ip saddr . ip daddr @loops4 masquerade',
    '    ct status dnat ip6 saddr . ip6 daddr @loops6 masquerade',
    ...(nodePorts.length > 0 ? ['    ct status dnat ct original ip daddr 172.18.0.0/16 masquerade'] : []),
    '  }',
    '  chain refuse {',
    '    ip daddr . meta l4proto . th dport @idle4 reject',
    '    ip6 daddr . meta l4proto . th dport @idle6 reject',
    '  }',
    '  chain forward { type filter hook forward priority filter; policy accept; jump refuse; }',
    '  chain local { type filter hook output priority filter; policy accept; jump refuse; }',
    '}',
    '',
  ].join('\n')
}

function chainOf(frontend: Frontend): string {
  return `svc-${createHash('sha256').update(frontendKey(frontend)).digest('hex').slice(0, 12)}`
}

function chainText(frontend: Frontend): string {
  const six = frontend.ip.includes(':')
  const write = (target: Target): string => `${target.ip} . ${target.port}`
  const [first] = frontend.targets
  const single = first === undefined ? '' : six ? `[${first.ip}]:${first.port}` : `${first.ip}:${first.port}`
  const choice = frontend.targets.map((target, index) => `${index} : ${write(target)}`).join(', ')
  const to = frontend.targets.length === 1 ? single : `numgen random mod ${frontend.targets.length} map { ${choice} }`
  return `  chain ${chainOf(frontend)} { meta l4proto ${frontend.protocol} dnat ${six ? 'ip6' : 'ip'} to ${to}; }`
}

function map(name: string, type: string, elements: readonly string[]): string {
  return `  map ${name} { type ${type};${elements.length > 0 ? ` elements = { ${elements.join(', ')} };` : ''} }`
}

function set(name: string, type: string, elements: readonly string[]): string {
  return `  set ${name} { type ${type};${elements.length > 0 ? ` elements = { ${elements.join(', ')} };` : ''} }`
}
