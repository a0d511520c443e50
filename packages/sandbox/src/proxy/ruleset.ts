import { createHash } from 'node:crypto'
import { NETWORK } from '../net/addresses.ts'
import type { ServingPort, Target } from './frontends.ts'

export const TABLE = 'ambit-services'

/** Packets that must come back through the node that translated them (kube-proxy's bit). */
const MASQUERADE = '0x4000'
/** Clients remembered per endpoint; with more, a new one is remembered in nobody's place and may move. */
const AFFINITY_CLIENTS = 65_536

export interface Ruleset {
  readonly text: string
  /** Chains and sets of single services, to be taken away when they are no longer written. */
  readonly names: ReadonlySet<string>
}

/** Where the rules are to be: a node, or the sandbox's own namespace, on which no pod runs. */
export interface RulesetOptions {
  readonly node: string | undefined
  /** What the table holds already. Without it the whole table is replaced, and clients lose their affinity. */
  readonly previous?: ReadonlySet<string> | undefined
}

/**
 * The nft script that brings the service table up to date in one transaction. Sources are kept, except where replies would
 * miss the node that translated: for clients from outside, and for a pod that reaches itself through its service.
 */
export function servicesRuleset(serving: readonly ServingPort[], options: RulesetOptions): Ruleset {
  const table = new TableText()
  for (const one of serving) addService(table, one, options.node)
  return { text: table.script(options.previous), names: table.names }
}

function addService(table: TableText, one: ServingPort, node: string | undefined): void {
  const id = createHash('sha256').update(one.key).digest('hex').slice(0, 12)
  const local = one.targets.filter((target) => target.node === node && node !== undefined)
  for (const { ip } of one.targets) table.element(`loops${family(one)}`, `${ip} . ${ip}`)
  const everywhere = one.targets.length === 0 ? undefined : chooseChain(table, one, `svc-${id}`, one.targets)
  const nearby =
    local.length === 0 || !(one.internalLocal || one.externalLocal)
      ? undefined
      : chooseChain(table, one, `near-${id}`, local)
  const outside = outsideChain(table, one, `ext-${id}`, everywhere, nearby)
  const inside = one.internalLocal ? nearby : everywhere
  const frontend = (ip: string, chain: string | undefined): void => {
    const key = `${ip} . ${one.protocol} . ${one.port}`
    // Nobody anywhere is refused at once; nobody on this node is silence (kube-proxy).
    if (everywhere === undefined) table.element(`idle${family(one)}`, key)
    else table.element(`frontends${family(one)}`, `${key} : ${chain === undefined ? 'drop' : `goto ${chain}`}`)
  }
  if (one.clusterIp !== undefined) frontend(one.clusterIp, inside)
  for (const ip of one.externalIps) frontend(ip, outside)
  if (one.nodePort !== undefined && outside !== undefined)
    table.element(`nodeports${family(one)}`, `${one.protocol} . ${one.nodePort} : goto ${outside}`)
}

function family(one: ServingPort): 4 | 6 {
  return one.six ? 6 : 4
}

/** For clients who ask by an address of the outside; those inside are not bound to endpoints nearby. */
function outsideChain(
  table: TableText,
  one: ServingPort,
  name: string,
  everywhere: string | undefined,
  nearby: string | undefined,
): string | undefined {
  if (everywhere === undefined || (one.nodePort === undefined && one.externalIps.length === 0)) return undefined
  const mark = `meta mark set meta mark | ${MASQUERADE}`
  if (!one.externalLocal) {
    table.chain(name, [mark, `goto ${everywhere}`])
    return name
  }
  const pods = one.six ? `ip6 saddr ${NETWORK.podCidrV6}` : `ip saddr ${NETWORK.podCidr}`
  table.chain(name, [
    `${pods} ${mark} goto ${everywhere}`,
    `fib saddr type local ${mark} goto ${everywhere}`,
    // Elsewhere the client's own address would be lost: there is no endpoint for it here.
    nearby === undefined ? 'drop' : `goto ${nearby}`,
  ])
  return name
}

/** Sends to one of the targets at random, and a client with affinity to the one it was sent to before. */
function chooseChain(table: TableText, one: ServingPort, name: string, targets: readonly Target[]): string {
  if (one.affinitySeconds === undefined) {
    table.chain(name, [`meta l4proto ${one.protocol} ${translation(one, targets)}`])
    return name
  }
  const source = one.six ? 'ip6 saddr' : 'ip saddr'
  const type = one.six ? 'ipv6_addr' : 'ipv4_addr'
  const stays: string[] = []
  const choices: string[] = []
  for (const [index, target] of targets.entries()) {
    const id = createHash('sha256')
      .update(`${one.key} ${target.ip} ${target.port} ${one.affinitySeconds}`)
      .digest('hex')
      .slice(0, 12)
    table.affinitySet(
      `aff-${id}`,
      `type ${type}; size ${AFFINITY_CLIENTS}; flags dynamic,timeout; timeout ${one.affinitySeconds}s`,
    )
    table.chain(`to-${id}`, [
      `update @aff-${id} { ${source} }`,
      `meta l4proto ${one.protocol} ${translation(one, [target])}`,
    ])
    stays.push(`${source} @aff-${id} goto to-${id}`)
    choices.push(`${index} : goto to-${id}`)
  }
  table.chain(name, [...stays, `numgen random mod ${targets.length} vmap { ${choices.join(', ')} }`])
  return name
}

function translation(one: ServingPort, targets: readonly Target[]): string {
  const [first] = targets
  const single = first === undefined ? '' : one.six ? `[${first.ip}]:${first.port}` : `${first.ip}:${first.port}`
  const choice = targets.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`).join(', ')
  const to = targets.length === 1 ? single : `numgen random mod ${targets.length} map { ${choice} }`
  return `dnat ${one.six ? 'ip6' : 'ip'} to ${to}`
}

const SHARED = {
  frontends4: 'ipv4_addr . inet_proto . inet_service : verdict',
  frontends6: 'ipv6_addr . inet_proto . inet_service : verdict',
  nodeports4: 'inet_proto . inet_service : verdict',
  nodeports6: 'inet_proto . inet_service : verdict',
  idle4: 'ipv4_addr . inet_proto . inet_service',
  idle6: 'ipv6_addr . inet_proto . inet_service',
  loops4: 'ipv4_addr . ipv4_addr',
  loops6: 'ipv6_addr . ipv6_addr',
} as const
type Shared = keyof typeof SHARED

const BASE_CHAINS = `
  chain services {
    ip daddr . meta l4proto . th dport vmap @frontends4
    ip6 daddr . meta l4proto . th dport vmap @frontends6
    ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @nodeports4
    ip6 daddr != ::1 fib daddr type local meta l4proto . th dport vmap @nodeports6
  }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }
  chain output { type nat hook output priority -100; policy accept; jump services; }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark & ${MASQUERADE} == ${MASQUERADE} masquerade
    ct status dnat ip saddr . ip daddr @loops4 masquerade
    ct status dnat ip6 saddr . ip6 daddr @loops6 masquerade
  }
  chain refuse {
    ip daddr . meta l4proto . th dport @idle4 reject
    ip6 daddr . meta l4proto . th dport @idle6 reject
  }
  chain forward { type filter hook forward priority filter; policy accept; jump refuse; }
  chain local { type filter hook output priority filter; policy accept; jump refuse; }`

/** Collects what the table is to hold and writes it. */
class TableText {
  readonly #elements = new Map<Shared, Set<string>>()
  readonly #chains: string[] = []
  readonly #sets: string[] = []
  readonly names: Set<string> = new Set()

  element(name: Shared, element: string): void {
    const elements = this.#elements.get(name) ?? new Set()
    this.#elements.set(name, elements.add(element))
  }

  chain(name: string, rules: readonly string[]): void {
    if (this.names.has(`chain ${name}`)) return
    this.names.add(`chain ${name}`)
    this.#chains.push(`  chain ${name} { ${rules.join('; ')}; }`)
  }

  affinitySet(name: string, definition: string): void {
    if (this.names.has(`set ${name}`)) return
    this.names.add(`set ${name}`)
    this.#sets.push(`  set ${name} { ${definition}; }`)
  }

  script(previous: ReadonlySet<string> | undefined): string {
    const shared = Object.keys(SHARED) as Shared[]
    const kindOf = (name: Shared): string => (SHARED[name].endsWith('verdict') ? 'map' : 'set')
    const clear =
      previous === undefined
        ? [`delete table inet ${TABLE}`]
        : [`flush table inet ${TABLE}`, ...shared.map((name) => `flush ${kindOf(name)} inet ${TABLE} ${name}`)]
    const gone = [...(previous ?? [])].filter((name) => !this.names.has(name))
    return [
      `table inet ${TABLE}`,
      ...clear,
      ...gone.map((name) => `delete ${name.replace(' ', ` inet ${TABLE} `)}`),
      `table inet ${TABLE} {`,
      ...this.#sets,
      ...this.#chains,
      ...shared.map((name) => {
        const elements = [...(this.#elements.get(name) ?? [])]
        const list = elements.length > 0 ? ` elements = { ${elements.join(', ')} };` : ''
        return `  ${kindOf(name)} ${name} { type ${SHARED[name]};${list} }`
      }),
      BASE_CHAINS.slice(1),
      '}',
      '',
    ].join('\n')
  }
}
