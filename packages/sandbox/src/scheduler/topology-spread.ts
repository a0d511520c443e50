import type { Pod, TopologySpreadConstraint } from '../objects/pod.types.ts'
import { matchesSelector } from '../objects/selector.ts'
import { matchesNode, nodeRefusal } from './node-fit.ts'
import { domainOf, keyRequirements } from './pod-affinity.ts'
import type { NodeInfo } from './snapshot.ts'

interface Spread {
  readonly constraint: TopologySpreadConstraint
  readonly counts: ReadonlyMap<string, number>
  readonly fewest: number
  /** 1 if the pod itself is one of those that are counted. */
  readonly self: number
}

/** Decides for one pod and any node whether its kind stays spread evenly. */
export class TopologySpread {
  readonly #required: readonly Spread[]
  readonly #wished: readonly Spread[]

  constructor(pod: Pod, nodes: readonly NodeInfo[]) {
    const constraints = pod.spec.topologySpreadConstraints ?? []
    const of = (whenUnsatisfiable: string): readonly Spread[] => {
      const some = constraints.filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable)
      return some.map((constraint) => spreadOf(pod, constraint, some, nodes))
    }
    this.#required = of('DoNotSchedule')
    this.#wished = of('ScheduleAnyway')
  }

  /** Why not that node, in kube-scheduler's words. */
  refusal(info: NodeInfo): string | undefined {
    for (const { constraint, counts, fewest, self } of this.#required) {
      const domain = domainOf(info, constraint.topologyKey)
      if (domain === undefined) return "node(s) didn't match pod topology spread constraints (missing required label)"
      if ((counts.get(domain) ?? 0) + self - fewest > constraint.maxSkew)
        return "node(s) didn't match pod topology spread constraints"
    }
    return undefined
  }

  /** How many of its kind a pod would meet there, of those it would rather not. */
  crowd(info: NodeInfo): number {
    return this.#wished.reduce((sum, { constraint, counts }) => {
      const domain = domainOf(info, constraint.topologyKey)
      return sum + (domain === undefined ? 0 : (counts.get(domain) ?? 0))
    }, 0)
  }
}

function spreadOf(
  pod: Pod,
  constraint: TopologySpreadConstraint,
  together: readonly TopologySpreadConstraint[],
  nodes: readonly NodeInfo[],
): Spread {
  const meant = (other: Pod): boolean =>
    constraint.labelSelector !== undefined &&
    other.metadata.namespace === pod.metadata.namespace &&
    other.metadata.deletionTimestamp === undefined &&
    matchesSelector(constraint.labelSelector, other.metadata.labels) &&
    matchesSelector({ matchExpressions: keyRequirements(constraint.matchLabelKeys, 'In', pod) }, other.metadata.labels)
  const counts = new Map<string, number>()
  for (const info of nodes) {
    const { node } = info
    const domain = domainOf(info, constraint.topologyKey)
    // Nodes outside any of the constraints' topologies, or that the pod can't use, don't count.
    if (node === undefined || domain === undefined) continue
    if (together.some(({ topologyKey }) => domainOf(info, topologyKey) === undefined)) continue
    if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesNode(pod.spec, node)) continue
    if (constraint.nodeTaintsPolicy === 'Honor' && nodeRefusal(pod.spec, node) !== undefined) continue
    const here = [...info.pods.values()].filter(meant).length
    counts.set(domain, (counts.get(domain) ?? 0) + here)
  }
  const tooFew = counts.size < (constraint.minDomains ?? 1)
  const fewest = tooFew || counts.size === 0 ? 0 : Math.min(...counts.values())
  return { constraint, counts, fewest, self: meant(pod) ? 1 : 0 }
}
