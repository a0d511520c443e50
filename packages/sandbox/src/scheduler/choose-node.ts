import type { PersistentVolume } from '../objects/cluster.types.ts'
import type { Pod } from '../objects/pod.types.ts'
import { matchesTerm, nodeRefusal, unwelcome } from './node-fit.ts'
import { type NamespaceLabels, PodAffinity, preference } from './pod-affinity.ts'
import { burdenOf, requestsOf } from './requests.ts'
import { hostPortsOf, type NodeInfo, nameOf, ownerOf } from './snapshot.ts'
import { TopologySpread } from './topology-spread.ts'
import { isReachable } from './volume-fit.ts'

/** What decides about nodes besides the pods on them. */
export interface Surroundings {
  readonly namespaceLabels: NamespaceLabels
  /** The volumes that a pod's claims are bound to. */
  readonly volumesOf: (pod: Pod) => readonly PersistentVolume[]
}

export type Choice =
  | { readonly node: string }
  /** One refusal or more per node. */
  | { readonly refusals: readonly (readonly string[])[] }

/** Weights of kube-scheduler's default plugins. */
const WEIGHTS = { taints: 3, nodeAffinity: 2, podAffinity: 2, spread: 2, alike: 2, room: 1 } as const
const RESOURCES = ['cpu', 'memory'] as const

/** Chooses the node of a pod: of those that may take it, the one that suits it best. */
export function chooseNode(pod: Pod, nodes: readonly NodeInfo[], around: Surroundings): Choice {
  const spread = new TopologySpread(pod, nodes)
  const refusals: (readonly string[])[] = []
  const fitting: NodeInfo[] = []
  const refuse = refuser(pod, nodes, around, spread)
  for (const info of nodes) {
    const lacking = refuse(info)
    if (lacking.length === 0) fitting.push(info)
    else refusals.push(lacking)
  }
  const best = rank(pod, fitting, spread, preference(pod, nodes, around.namespaceLabels))[0]
  return best === undefined ? { refusals } : { node: nameOf(best) }
}

/** Says for any of the nodes why it doesn't take a pod; nothing when it does. */
export function refuser(
  pod: Pod,
  nodes: readonly NodeInfo[],
  around: Surroundings,
  spread: TopologySpread = new TopologySpread(pod, nodes),
): (info: NodeInfo) => readonly string[] {
  const affinity = new PodAffinity(pod, nodes, around.namespaceLabels)
  const volumes = around.volumesOf(pod)
  const requests = requestsOf(pod.spec)
  return (info) => {
    const { node } = info
    if (node === undefined) return ["node(s) weren't there"]
    const first = nodeRefusal(pod.spec, node) ?? portRefusal(pod, info)
    if (first !== undefined) return [first]
    const short = shortages(requests, info)
    if (short.length > 0) return short
    if (!volumes.every((volume) => isReachable(volume, node))) return ['node(s) had volume node affinity conflict']
    const last = spread.refusal(info) ?? affinity.refusal(info)
    return last === undefined ? [] : [last]
  }
}

function portRefusal(pod: Pod, info: NodeInfo): string | undefined {
  return hostPortsOf(pod).some((port) => info.ports.has(port))
    ? "node(s) didn't have free ports for the requested pod ports"
    : undefined
}

/** What a node has too little of. */
function shortages(requests: ReadonlyMap<string, number>, info: NodeInfo): readonly string[] {
  const short: string[] = []
  const most = info.allocatable.get('pods')
  if (most !== undefined && info.pods.size + 1 > most) short.push('Too many pods')
  for (const [name, wanted] of requests) {
    const free = (info.allocatable.get(name) ?? 0) - (info.requested.get(name) ?? 0)
    // A thousandth of a billionth is what adding fractions leaves.
    if (wanted > 0 && wanted > free + 1e-9) short.push(`Insufficient ${name}`)
  }
  return short
}

function rank(
  pod: Pod,
  nodes: readonly NodeInfo[],
  spread: TopologySpread,
  company: (info: NodeInfo) => number,
): readonly NodeInfo[] {
  if (nodes.length < 2) return nodes
  const owner = ownerOf(pod)
  const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  const scores = [
    score(nodes, WEIGHTS.taints, ({ node }) => (node === undefined ? 0 : -unwelcome(pod.spec, node))),
    score(nodes, WEIGHTS.nodeAffinity, ({ node }) =>
      preferred.reduce(
        (sum, { preference, weight }) => sum + (node !== undefined && matchesTerm(preference, node) ? weight : 0),
        0,
      ),
    ),
    score(nodes, WEIGHTS.podAffinity, company),
    score(nodes, WEIGHTS.spread, (info) => -spread.crowd(info)),
    score(nodes, WEIGHTS.alike, ({ owners }) => (owner === undefined ? 0 : -(owners.get(owner) ?? 0))),
    nodes.map((info) => WEIGHTS.room * room(pod, info)),
  ]
  const total = new Map(nodes.map((info, i) => [info, scores.reduce((sum, score) => sum + (score[i] ?? 0), 0)]))
  return nodes.toSorted(
    (a, b) =>
      (total.get(b) ?? 0) - (total.get(a) ?? 0) || a.pods.size - b.pods.size || nameOf(a).localeCompare(nameOf(b)),
  )
}

/** Raw values stretched to 0 to 100, times the weight. */
function score(nodes: readonly NodeInfo[], weight: number, raw: (info: NodeInfo) => number): readonly number[] {
  const values = nodes.map(raw)
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return values.map((value) => (most === least ? 0 : (weight * 100 * (value - least)) / (most - least)))
}

/** How much would stay free on a node, 0 to 100. */
function room(pod: Pod, info: NodeInfo): number {
  const burden = burdenOf(pod)
  const shares = RESOURCES.map((name) => {
    const all = info.allocatable.get(name) ?? 0
    const left = all - (info.burden.get(name) ?? 0) - (burden.get(name) ?? 0)
    return all <= 0 ? 0 : Math.max(0, (100 * left) / all)
  })
  return shares.reduce((sum, share) => sum + share, 0) / RESOURCES.length
}
