import { createHash } from 'node:crypto'
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../objects/network-policy.types.ts'
import { matchesSelector } from '../objects/selector.ts'

/** A pod as policies see it. */
export interface PolicyPod {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly ips: readonly string[]
  readonly node: string
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[]
}

export type Direction = 'ingress' | 'egress'

/** What one policy lets through in one direction, as rules in nft's words. */
export interface PolicyChain {
  readonly name: string
  readonly rules: readonly string[]
}

/** The chains that decide for a pod; undefined where no policy selects it, and all is let through. */
export interface PodIsolation {
  readonly ips: readonly string[]
  readonly ingress: readonly PolicyChain[] | undefined
  readonly egress: readonly PolicyChain[] | undefined
}

export interface PolicyWorld {
  readonly policies: readonly NetworkPolicy[]
  readonly pods: readonly PolicyPod[]
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined
}

type Family = 'ip' | 'ip6'
const FAMILIES: readonly Family[] = ['ip', 'ip6']
const familyOf = (ip: string): Family => (ip.includes(':') ? 'ip6' : 'ip')

/** Decides for every pod of a node that some policy selects. */
export function isolationOf(world: PolicyWorld, node: string): PodIsolation[] {
  const local = world.pods.filter((pod) => pod.node === node)
  const byPod = new Map<PolicyPod, { ingress?: PolicyChain[]; egress?: PolicyChain[] }>()
  for (const policy of world.policies) {
    const selected = local.filter((pod) => selectsPod(policy, pod))
    if (selected.length === 0) continue
    for (const direction of directionsOf(policy)) {
      const chain = policyChain(world, policy, direction, selected)
      for (const pod of selected) {
        const isolation = byPod.get(pod) ?? {}
        byPod.set(pod, isolation)
        isolation[direction] = [...(isolation[direction] ?? []), chain]
      }
    }
  }
  return [...byPod].map(([{ ips }, { ingress, egress }]) => ({ ips, ingress, egress }))
}

export function selectsPod(policy: NetworkPolicy, pod: Pick<PolicyPod, 'namespace' | 'labels'>): boolean {
  return policy.metadata.namespace === pod.namespace && matchesSelector(policy.spec.podSelector ?? {}, pod.labels)
}

/** Without `policyTypes`: ingress always, egress if it has rules for it. */
function directionsOf({ spec }: NetworkPolicy): readonly Direction[] {
  const types = spec.policyTypes ?? ['Ingress', ...((spec.egress ?? []).length > 0 ? ['Egress'] : [])]
  return (['ingress', 'egress'] as const).filter((direction) => types.some((type) => type.toLowerCase() === direction))
}

interface Rule {
  readonly ports: readonly NetworkPolicyPort[]
  readonly peers: readonly NetworkPolicyPeer[]
}

function policyChain(
  world: PolicyWorld,
  policy: NetworkPolicy,
  direction: Direction,
  selected: readonly PolicyPod[],
): PolicyChain {
  const { namespace, name, uid } = policy.metadata
  const id = createHash('sha256').update(`${namespace}/${name}/${uid} ${direction}`).digest('hex').slice(0, 12)
  const rules: readonly Rule[] =
    direction === 'ingress'
      ? (policy.spec.ingress ?? []).map(({ ports = [], from = [] }) => ({ ports, peers: from }))
      : (policy.spec.egress ?? []).map(({ ports = [], to = [] }) => ({ ports, peers: to }))
  const lines = rules.flatMap(({ ports, peers }) => {
    const matches = peerMatches(world, namespace ?? '', direction, peers)
    return matches.flatMap(({ match, pods, family }) =>
      portMatches(ports, direction === 'ingress' ? selected : pods, family).map((port) =>
        [match, port, 'accept'].filter((part) => part !== '').join(' '),
      ),
    )
  })
  return { name: `np-${id}`, rules: [...new Set(lines)] }
}

interface PeerMatch {
  readonly match: string
  /** Pods among the peers, whose named ports an egress rule may mean. */
  readonly pods: readonly PolicyPod[]
  /** Undefined: both. */
  readonly family: Family | undefined
}

function peerMatches(
  world: PolicyWorld,
  namespace: string,
  direction: Direction,
  peers: readonly NetworkPolicyPeer[],
): PeerMatch[] {
  if (peers.length === 0) return [{ match: '', pods: world.pods, family: undefined }]
  const side = direction === 'ingress' ? 'saddr' : 'daddr'
  const pods = world.pods.filter((pod) => peers.some((peer) => isPeer(world, namespace, peer, pod)))
  const byAddress = FAMILIES.flatMap((family) => {
    const ips = pods.flatMap((pod) => pod.ips.filter((ip) => familyOf(ip) === family))
    return ips.length === 0 ? [] : [{ match: `${family} ${side} { ${[...new Set(ips)].join(', ')} }`, pods, family }]
  })
  const byBlock = peers.flatMap(({ ipBlock }) => {
    if (ipBlock === undefined) return []
    const family = familyOf(ipBlock.cidr)
    const not = (ipBlock.except ?? []).map((cidr) => ` ${familyOf(cidr)} ${side} != ${cidr}`).join('')
    return [{ match: `${family} ${side} ${ipBlock.cidr}${not}`, pods: [], family }]
  })
  return [...byAddress, ...byBlock]
}

function isPeer(world: PolicyWorld, namespace: string, peer: NetworkPolicyPeer, pod: PolicyPod): boolean {
  const { namespaceSelector, podSelector } = peer
  if (namespaceSelector === undefined && podSelector === undefined) return false
  if (namespaceSelector === undefined) {
    if (pod.namespace !== namespace) return false
  } else {
    const labels = world.namespaceLabels(pod.namespace)
    if (labels === undefined || !matchesSelector(namespaceSelector, labels)) return false
  }
  return podSelector === undefined || matchesSelector(podSelector, pod.labels)
}

/** `named`: the pods whose container ports a name stands for. An empty text is no condition; no texts match nothing. */
function portMatches(
  ports: readonly NetworkPolicyPort[],
  named: readonly PolicyPod[],
  family: Family | undefined,
): readonly string[] {
  if (ports.length === 0) return ['']
  return ports.flatMap(({ protocol: kind = 'TCP', port, endPort }) => {
    const protocol = kind.toLowerCase()
    if (port === undefined) return [`meta l4proto ${protocol}`]
    if (typeof port === 'number') return [`${protocol} dport ${endPort === undefined ? port : `${port}-${endPort}`}`]
    return FAMILIES.filter((each) => family === undefined || family === each).flatMap((each) => {
      const pairs = named.flatMap((pod) =>
        pod.ports
          .filter((one) => one.name === port && one.protocol === kind)
          .flatMap((one) => pod.ips.filter((ip) => familyOf(ip) === each).map((ip) => `${ip} . ${one.port}`)),
      )
      return pairs.length === 0 ? [] : [`${each} daddr . ${protocol} dport { ${[...new Set(pairs)].join(', ')} }`]
    })
  })
}
