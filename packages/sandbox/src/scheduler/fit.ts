import type { Node, Taint } from '../objects/cluster.types.ts'
import type { NodeSelectorTerm, Pod, PodAffinityTerm, PodSpec, Toleration } from '../objects/pod.types.ts'
import { matchesLabels, matchesRequirement, matchesSelector } from '../objects/selector.ts'

export type Fit = { readonly fits: true } | { readonly fits: false; readonly reason: string }

const FITS: Fit = { fits: true }

/** Whether a pod may run on a node, by selector, affinity and taints; resources are not counted. */
export function fitsNode(spec: PodSpec, node: Node, tolerations: readonly Toleration[] = spec.tolerations ?? []): Fit {
  const unschedulable: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
  const taints = [...(node.spec?.taints ?? []), ...(node.spec?.unschedulable === true ? [unschedulable] : [])]
  const bad = taints.find(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((one) => tolerates(one, taint)),
  )
  if (bad !== undefined)
    return { fits: false, reason: `node(s) had untolerated taint {${bad.key}: ${bad.value ?? ''}}` }
  if (!matchesLabels(spec.nodeSelector ?? {}, node.metadata.labels)) {
    return { fits: false, reason: "node(s) didn't match Pod's node affinity/selector" }
  }
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  if (terms !== undefined && !terms.some((term) => matchesTerm(term, node))) {
    return { fits: false, reason: "node(s) didn't match Pod's node affinity/selector" }
  }
  return FITS
}

function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  // An empty term matches no node (Kubernetes).
  if (matchExpressions.length + matchFields.length === 0) return false
  const fields = { 'metadata.name': node.metadata.name ?? '' }
  return (
    matchExpressions.every((requirement) => matchesRequirement(requirement, node.metadata.labels)) &&
    matchFields.every((requirement) => matchesRequirement(requirement, fields))
  )
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.operator === 'Exists') return !toleration.key || toleration.key === taint.key
  return toleration.key === taint.key && (toleration.value ?? '') === (taint.value ?? '')
}

export interface Placement {
  readonly nodes: readonly Node[]
  readonly pods: readonly Pod[]
}

/** Chooses the node for a pod: of those it fits, the one with the fewest pods of the same kind, then the fewest pods. */
export function chooseNode(
  pod: Pod,
  placement: Placement,
): { readonly node: string } | { readonly reasons: readonly string[] } {
  const reasons: string[] = []
  const scored: { readonly name: string; readonly score: readonly [number, number] }[] = []
  for (const node of placement.nodes) {
    const name = node.metadata.name ?? ''
    const fit = isNodeReady(node)
      ? fitsNode(pod.spec, node)
      : { fits: false as const, reason: 'node(s) were not ready' }
    const affinity = fit.fits ? fitsPods(pod, node, placement) : fit
    if (!affinity.fits) {
      reasons.push(affinity.reason)
      continue
    }
    const here = placement.pods.filter((other) => other.spec.nodeName === name)
    const alike = here.filter((other) => sameOwner(other, pod)).length
    scored.push({ name, score: [alike, here.length] })
  }
  const best = scored.sort(
    (a, b) => a.score[0] - b.score[0] || a.score[1] - b.score[1] || a.name.localeCompare(b.name),
  )[0]
  return best === undefined ? { reasons } : { node: best.name }
}

function fitsPods(pod: Pod, node: Node, placement: Placement): Fit {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  const met = (term: PodAffinityTerm): boolean =>
    placement.pods.some((other) => inTerm(term, pod, other, node, placement.nodes))
  if (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.some(met) === true) {
    return { fits: false, reason: "node(s) didn't match pod anti-affinity rules" }
  }
  const wanted = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  // The first pod of a group that wants to be together may start it anywhere.
  const selfMatch = (term: PodAffinityTerm): boolean => matchesSelector(term.labelSelector ?? {}, pod.metadata.labels)
  if (
    !wanted.every(
      (term) => met(term) || (selfMatch(term) && !placement.pods.some((other) => selects(term, pod, other))),
    )
  ) {
    return { fits: false, reason: "node(s) didn't match pod affinity rules" }
  }
  return FITS
}

function selects(term: PodAffinityTerm, pod: Pod, other: Pod): boolean {
  const namespaces = term.namespaces ?? [pod.metadata.namespace ?? '']
  return (
    namespaces.includes(other.metadata.namespace ?? '') &&
    matchesSelector(term.labelSelector ?? {}, other.metadata.labels)
  )
}

function inTerm(term: PodAffinityTerm, pod: Pod, other: Pod, node: Node, nodes: readonly Node[]): boolean {
  if (other === pod || !selects(term, pod, other)) return false
  const where = nodes.find(({ metadata }) => metadata.name === other.spec.nodeName)
  const zone = where?.metadata.labels?.[term.topologyKey]
  return zone !== undefined && zone === node.metadata.labels?.[term.topologyKey]
}

export function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

function sameOwner(a: Pod, b: Pod): boolean {
  const [owner, other] = [a.metadata.ownerReferences?.[0]?.uid, b.metadata.ownerReferences?.[0]?.uid]
  return owner !== undefined && owner === other
}
