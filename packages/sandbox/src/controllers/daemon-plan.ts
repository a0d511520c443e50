import type { DaemonSet, Node, Taint } from '../objects/cluster.types.ts'
import type { Affinity, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../objects/pod.types.ts'
import { matchesNode, taintsOf, tolerates } from '../scheduler/node-fit.ts'
import { REVISION_HASH } from './controller-revisions.ts'
import { isActive, isAvailable } from './ownership.ts'
import { resolveIntOrPercent } from './rollout.ts'

/** Taints that never keep a daemon away (Kubernetes adds the same tolerations). */
const DAEMON_TOLERATIONS: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]
const HOST_NETWORK_TOLERATION: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
}

/** The spec of a daemon: meant for one node, which the scheduler gives it like any other pod. */
export function daemonSpec(spec: PodSpec, node: string): PodSpec {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }]
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  // Terms are alternatives; the node's name is put in place of all of them, as they were looked at already.
  const nodeSelectorTerms: NodeSelectorTerm[] = [{ matchFields }]
  const affinity: Affinity = {
    ...spec.affinity,
    nodeAffinity: {
      ...spec.affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { ...required, nodeSelectorTerms },
    },
  }
  return { ...spec, affinity, tolerations: daemonTolerations(spec) }
}

/** The node that a daemon runs on or is meant for. */
export function nodeOfDaemon(pod: Pod): string {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return pod.spec.nodeName || (terms?.[0]?.matchFields?.[0]?.values?.[0] ?? '')
}

function daemonTolerations(spec: PodSpec): readonly Toleration[] {
  const added = spec.hostNetwork === true ? [...DAEMON_TOLERATIONS, HOST_NETWORK_TOLERATION] : DAEMON_TOLERATIONS
  const same = (a: Toleration, b: Toleration): boolean =>
    a.key === b.key && a.operator === b.operator && a.effect === b.effect && a.value === b.value
  const own = spec.tolerations ?? []
  return [...own, ...added.filter((one) => !own.some((other) => same(one, other)))]
}

/** Whether a node gets a daemon, and whether one that is there may stay: a taint NoSchedule drives nobody away. */
export function placeOf(spec: PodSpec, node: Node): { readonly runs: boolean; readonly stays: boolean } {
  if (!matchesNode(spec, node) || (spec.nodeName && spec.nodeName !== node.metadata.name))
    return { runs: false, stays: false }
  const tolerations = daemonTolerations(spec)
  const kept = (effects: readonly string[]): boolean =>
    taintsOf(node)
      .filter((taint: Taint) => effects.includes(taint.effect))
      .every((taint: Taint) => tolerations.some((toleration) => tolerates(toleration, taint)))
  return { runs: kept(['NoSchedule', 'NoExecute']), stays: kept(['NoExecute']) }
}

export interface DaemonPlan {
  /** Nodes to create a pod on. */
  readonly create: readonly string[]
  readonly remove: readonly Pod[]
}

/** The next step of a DaemonSet: pods missing, misplaced or outdated, within the update strategy's bounds. */
export function planDaemons(o: {
  readonly set: DaemonSet
  /** Nodes that are to have one. */
  readonly nodes: readonly string[]
  /** Further nodes, that keep what they have. */
  readonly keeping?: readonly string[] | undefined
  readonly pods: readonly Pod[]
  readonly hash: string
  readonly nowMs: number
}): DaemonPlan {
  const { keeping = [], nodes, pods, set } = o
  const on = new Map([...nodes, ...keeping].map((node) => [node, [] as Pod[]]))
  const create: string[] = []
  const remove: Pod[] = []
  for (const pod of pods) {
    const here = on.get(nodeOfDaemon(pod))
    here?.push(pod)
    // Misplaced ones go; ended ones are replaced.
    const ended = !isActive(pod) && pod.metadata.deletionTimestamp === undefined
    if ((here === undefined && isActive(pod)) || ended) remove.push(pod)
  }
  const rolling = (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
  const { maxSurge = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {}
  const surge = resolveIntOrPercent(maxSurge, nodes.length, 'up')
  const allowed = Math.max(surge === 0 ? 1 : 0, resolveIntOrPercent(maxUnavailable, nodes.length, 'up'))
  const available = (pod: Pod): boolean => isAvailable(pod, set.spec.minReadySeconds ?? 0, o.nowMs)
  const podsOn = (node: string): readonly Pod[] => on.get(node) ?? []
  let surging = 0
  let unavailable = nodes.filter((node) => !podsOn(node).some((pod) => isActive(pod) && available(pod))).length
  const outdated: { readonly node: string; readonly pod: Pod }[] = []
  for (const node of nodes) {
    const active = podsOn(node).filter(isActive)
    const fresh = active.filter((pod) => pod.metadata.labels?.[REVISION_HASH] === o.hash)
    const stale = active.filter((pod) => pod.metadata.labels?.[REVISION_HASH] !== o.hash)
    // A pod still ending holds the node's place, unless surge lets two be there.
    const ending = podsOn(node).some((pod) => pod.metadata.deletionTimestamp !== undefined)
    if (active.length === 0) {
      if (!ending || surge > 0) create.push(node)
      continue
    }
    remove.push(...fresh.slice(1))
    if (fresh.length > 0 && stale.length > 0) {
      surging++
      if (fresh.some(available)) remove.push(...stale)
    } else {
      remove.push(...stale.slice(1))
      const [pod] = stale
      if (pod !== undefined) outdated.push({ node, pod })
    }
  }
  if (!rolling) return { create, remove }
  for (const { node, pod } of outdated) {
    if (!available(pod)) remove.push(pod)
    else if (surge > 0) {
      if (surging < surge) {
        surging++
        create.push(node)
      }
    } else if (unavailable < allowed) {
      unavailable++
      remove.push(pod)
    }
  }
  return { create, remove }
}
