import { PACKET_MARK, PORTS } from '@ambit/core'

/** What one pod's rules depend on. */
export interface RedirectOptions {
  readonly dnsCapture: boolean
  /** The pod's loopback has ::1. */
  readonly ipv6: boolean
  /** Leave inbound connections alone; HBONE and outbound still work. */
  readonly bypassInbound: boolean
  /** Interfaces inside the pod whose traffic counts as outbound, such as a bridge of virtual machines. */
  readonly rerouteInterfaces: readonly string[]
  /** Source addresses of the node's own probes, which reach applications directly. */
  readonly probeIpv4: string
  readonly probeIpv6: string
}

/** Everything to be done to a pod's namespace, as input of `nft -f -` and lines of `ip -4|-6 -batch -`. */
export interface RedirectPlan {
  readonly nft: string
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
}

/** Istio's native nftables tables. */
const TABLES = ['istio-ambient-nat', 'istio-ambient-mangle', 'istio-ambient-raw'] as const
/** Those that every redirected pod has. */
export const REDIRECTION_TABLES: readonly string[] = ['istio-ambient-nat', 'istio-ambient-mangle']
/** Connection mark of flows that keep the client's address. */
const CONNECTION_MARK = 0x111
const MARK_MASK = 0xfff
const ROUTE_TABLE = 100
const RULE_PRIORITY = 32764
/** Conntrack zone that keeps the proxy's own DNS queries apart from the application's. */
const DNS_ZONE = 1
/**
 * Ours, besides Istio's: the zone of queries that are redirected. Their entries outlive the rules, and a pod that is captured
 * again soon may ask from the same port: an answer from before the rules would then be given another port and be lost.
 */
const REDIRECTED_DNS_ZONE = 2
const DNS_PORT = 53

const hex = (value: number): string => `0x${value.toString(16)}`
const fromProxy = `meta mark & ${hex(MARK_MASK)} == ${hex(PACKET_MARK)}`
const notFromProxy = `meta mark & ${hex(MARK_MASK)} != ${hex(PACKET_MARK)}`
const preserved = `${hex(CONNECTION_MARK)}/${hex(MARK_MASK)}`

interface Family {
  readonly protocol: 'ip' | 'ip6'
  readonly loopback: string
  readonly probe: string
}

function families(options: RedirectOptions): readonly Family[] {
  const v4: Family = { protocol: 'ip', loopback: '127.0.0.1', probe: options.probeIpv4 }
  const v6: Family = { protocol: 'ip6', loopback: '::1', probe: options.probeIpv6 }
  return options.ipv6 ? [v4, v6] : [v4]
}

/** The rules that lead a pod's traffic to ztunnel. Applying the plan again replaces whatever is there, at once. */
export function redirectPlan(options: RedirectOptions): RedirectPlan {
  const tables = [natTable(options), mangleTable(), ...(options.dnsCapture ? [rawTable()] : [])]
  const rule = `rule add fwmark ${preserved} pref ${RULE_PRIORITY} lookup ${ROUTE_TABLE}`
  // The rule comes last: the applier takes "it exists" there, and only there, as success.
  return {
    nft: `${dropTables()}${tables.join('')}`,
    ipv4: [`route replace local 0.0.0.0/0 dev lo table ${ROUTE_TABLE}`, rule],
    ipv6: options.ipv6 ? [`route replace local ::/0 dev lo table ${ROUTE_TABLE}`, rule] : [],
  }
}

/** Takes everything away that any plan could have put in place. */
export function removalPlan(): RedirectPlan {
  const rule = `rule del fwmark ${preserved} pref ${RULE_PRIORITY} lookup ${ROUTE_TABLE}`
  return {
    nft: dropTables(),
    ipv4: [rule, `route del local 0.0.0.0/0 dev lo table ${ROUTE_TABLE}`],
    ipv6: [rule, `route del local ::/0 dev lo table ${ROUTE_TABLE}`],
  }
}

/**
 * Empties the chains that redirect, whether or not they exist, and leaves the hooks that translate in place. New queries
 * leave the zone of redirected ones: an entry of that port there would still lead them to a proxy that is about to go.
 */
export function stopScript(): string {
  const [nat, , raw] = TABLES
  const empty = (table: string, chain: string): string =>
    `add table inet ${table}\nadd chain inet ${table} ${chain}\nflush chain inet ${table} ${chain}\n`
  const proxied = proxyZones().map((rule) => `add rule inet ${raw} istio-output ${rule}\n`)
  return [empty(nat, 'istio-prerouting'), empty(nat, 'istio-output'), empty(raw, 'istio-output'), ...proxied].join('')
}

/** Removes the tables whether or not they exist: `add` makes sure that `delete` finds them. */
function dropTables(): string {
  return TABLES.map((table) => `add table inet ${table}\ndelete table inet ${table}\n`).join('')
}

function natTable(options: RedirectOptions): string {
  const both = families(options)
  const prerouting = [
    ...options.rerouteInterfaces.flatMap((name) => [
      `iifname "${name}" meta l4proto tcp counter redirect to :${PORTS.outbound}`,
      `iifname "${name}" meta l4proto tcp counter return`,
    ]),
    ...(options.bypassInbound
      ? []
      : both.map(({ protocol, probe }) => `${protocol} saddr ${probe} meta l4proto tcp counter accept`)),
    ...(options.bypassInbound
      ? []
      : both.map(
          ({ protocol, loopback }) =>
            `${protocol} daddr != ${loopback} tcp dport != ${PORTS.hbone} ${notFromProxy} counter redirect to :${PORTS.inboundPlaintext}`,
        )),
  ]
  const output = [
    ...both.map(({ protocol, probe }) => `${protocol} daddr ${probe} meta l4proto tcp counter accept`),
    ...(options.dnsCapture ? dnsRedirects(both) : []),
    `meta l4proto tcp meta mark & ${hex(MARK_MASK)} == ${hex(CONNECTION_MARK)} counter accept`,
    ...both.map(({ protocol, loopback }) => `${protocol} daddr != ${loopback} oifname "lo" counter accept`),
    ...both.map(
      ({ protocol, loopback }) =>
        `${protocol} daddr != ${loopback} meta l4proto tcp ${notFromProxy} counter redirect to :${PORTS.outbound}`,
    ),
  ]
  return table('istio-ambient-nat', [
    { base: 'prerouting', hook: 'type nat hook prerouting priority -100', rules: prerouting },
    { base: 'output', hook: 'type nat hook output priority -100', rules: output },
  ])
}

function dnsRedirects(both: readonly Family[]): string[] {
  const udp = both.map(
    ({ protocol }) =>
      `meta nfproto ${protocol === 'ip' ? 'ipv4' : 'ipv6'} oifname != "lo" udp dport ${DNS_PORT} ${notFromProxy} counter redirect to :${PORTS.dns}`,
  )
  const tcp = both.map(
    ({ protocol, loopback }) =>
      `${protocol} daddr != ${loopback} tcp dport ${DNS_PORT} ${notFromProxy} counter redirect to :${PORTS.dns}`,
  )
  return [...udp, ...tcp]
}

/** Marks the flows of the proxy that carry a client's address, so that the application's replies come back to it. */
function mangleTable(): string {
  const keepOtherBits = 0xffffffff - MARK_MASK
  return table('istio-ambient-mangle', [
    {
      base: 'prerouting',
      hook: 'type filter hook prerouting priority -150',
      rules: [`${fromProxy} counter ct mark set ct mark & ${hex(keepOtherBits)} | ${hex(CONNECTION_MARK)}`],
    },
    {
      base: 'output',
      // Only a chain of type route looks the route up again after the mark has changed.
      hook: 'type route hook output priority -150',
      rules: [`ct mark & ${hex(MARK_MASK)} == ${hex(CONNECTION_MARK)} counter meta mark set ct mark`],
    },
  ])
}

/**
 * Of what the proxy sends, its own queries and its answers to redirected ones, and of what the kernel says when nobody
 * listens there: in another zone it would not be translated, and who asks would wait instead of trying again.
 */
function proxyZones(): readonly string[] {
  return [
    `udp dport ${DNS_PORT} ${fromProxy} counter ct zone set ${DNS_ZONE}`,
    `udp sport ${PORTS.dns} ${fromProxy} counter ct zone set ${REDIRECTED_DNS_ZONE}`,
    `oifname "lo" icmp type destination-unreachable counter ct zone set ${REDIRECTED_DNS_ZONE}`,
    `oifname "lo" icmpv6 type destination-unreachable counter ct zone set ${REDIRECTED_DNS_ZONE}`,
  ]
}

function rawTable(): string {
  return table('istio-ambient-raw', [
    {
      base: 'prerouting',
      hook: 'type filter hook prerouting priority -300',
      rules: [`udp sport ${DNS_PORT} ${notFromProxy} counter ct zone set ${DNS_ZONE}`],
    },
    {
      base: 'output',
      hook: 'type filter hook output priority -300',
      rules: [
        ...proxyZones(),
        `oifname != "lo" udp dport ${DNS_PORT} ${notFromProxy} counter ct zone set ${REDIRECTED_DNS_ZONE}`,
      ],
    },
  ])
}

interface HookedChain {
  readonly base: 'prerouting' | 'output'
  readonly hook: string
  readonly rules: readonly string[]
}

/** A base chain that jumps to the chain with the rules, for each hook. */
function table(name: string, chains: readonly HookedChain[]): string {
  const blocks = chains.map(({ base, hook, rules }) => {
    const body = rules.map((rule) => `    ${rule}\n`).join('')
    return `  chain istio-${base} {\n${body}  }\n  chain ${base} {\n    ${hook}; policy accept;\n    jump istio-${base}\n  }\n`
  })
  return `table inet ${name} {\n${blocks.join('')}}\n`
}
