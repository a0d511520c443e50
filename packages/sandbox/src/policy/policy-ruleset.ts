import { createHash } from 'node:crypto'
import type { Direction, PodIsolation, PolicyChain } from './isolation.ts'

export const POLICY_TABLE = 'ambit-policies'

/**
 * The nft script that replaces a node's policy table in one transaction. It filters what is forwarded to and from pods of
 * the node, and what they send to the node; what the node itself sends, such as probes, is not asked. Connections that stand
 * go on when a policy begins to deny them, as with most network plugins of Kubernetes: packets of an established one pass.
 */
export function policyRuleset(pods: readonly PodIsolation[]): string {
  const chains = new Map<string, PolicyChain>()
  const own: string[] = []
  const verdicts: Record<`${Direction}${4 | 6}`, string[]> = { ingress4: [], ingress6: [], egress4: [], egress6: [] }
  for (const pod of pods) {
    for (const direction of ['ingress', 'egress'] as const) {
      const policies = pod[direction]
      if (policies === undefined) continue
      for (const chain of policies) chains.set(chain.name, chain)
      const name = podChain(pod, direction)
      own.push(
        `  chain ${name} { ${[...toItself(pod, direction), ...policies.map((each) => `jump ${each.name}`), 'drop'].join('; ')}; }`,
      )
      for (const ip of pod.ips) verdicts[`${direction}${ip.includes(':') ? 6 : 4}`].push(`${ip} : goto ${name}`)
    }
  }
  const map = (name: keyof typeof verdicts): string => {
    const type = name.endsWith('6') ? 'ipv6_addr' : 'ipv4_addr'
    const elements = verdicts[name].length === 0 ? '' : ` elements = { ${verdicts[name].join(', ')} };`
    return `  map ${name} { type ${type} : verdict;${elements} }`
  }
  return [
    `table inet ${POLICY_TABLE}`,
    `delete table inet ${POLICY_TABLE}`,
    `table inet ${POLICY_TABLE} {`,
    ...[...chains.values()].map(
      ({ name, rules }) => `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }`,
    ),
    ...own,
    map('ingress4'),
    map('ingress6'),
    map('egress4'),
    map('egress6'),
    ...base('to-node', 'input', -6, [
      'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept',
      ...egress,
    ]),
    ...base('from-pods', 'forward', -6, egress),
    ...base('to-pods', 'forward', -5, ['ip daddr vmap @ingress4', 'ip6 daddr vmap @ingress6']),
    '}',
    '',
  ].join('\n')
}

const egress = ['ip saddr vmap @egress4', 'ip6 saddr vmap @egress6']

function base(name: string, hook: string, priority: number, rules: readonly string[]): string[] {
  return [
    `  chain ${name} {`,
    `    type filter hook ${hook} priority ${priority}; policy accept;`,
    '    ct state established,related accept',
    ...rules.map((rule) => `    ${rule}`),
    '  }',
  ]
}

/** Through its own service a pod reaches itself, which no policy can forbid. */
function toItself({ ips }: PodIsolation, direction: Direction): string[] {
  const side = direction === 'ingress' ? 'saddr' : 'daddr'
  return ips.map((ip) => `${ip.includes(':') ? 'ip6' : 'ip'} ${side} ${ip} accept`)
}

function podChain({ ips }: PodIsolation, direction: Direction): string {
  return `${direction === 'ingress' ? 'in' : 'out'}-${createHash('sha256').update(ips.join(' ')).digest('hex').slice(0, 12)}`
}
