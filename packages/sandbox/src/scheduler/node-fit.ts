import type { Node, Taint } from '../objects/cluster.types.ts'
import type { NodeSelectorTerm, PodSpec, Toleration } from '../objects/pod.types.ts'
import { matchesLabels, matchesRequirement } from '../objects/selector.ts'

const UNSCHEDULABLE: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
const NOT_READY: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }

/** The taints of a node; a cordoned one has one more, whoever cordoned it. */
export function taintsOf(node: Node): readonly Taint[] {
  const taints = node.spec?.taints ?? []
  const cordoned = node.spec?.unschedulable === true && !taints.some(({ key }) => key === UNSCHEDULABLE.key)
  return cordoned ? [...taints, UNSCHEDULABLE] : taints
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.operator === 'Exists') return !toleration.key || toleration.key === taint.key
  return toleration.key === taint.key && (toleration.value ?? '') === (taint.value ?? '')
}

function untolerated(spec: PodSpec, taints: readonly Taint[]): Taint | undefined {
  return taints.find(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !(spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint)),
  )
}

/** How many of a node's taints say that a pod had better go elsewhere. */
export function unwelcome(spec: PodSpec, node: Node): number {
  return taintsOf(node).filter(
    (taint) =>
      taint.effect === 'PreferNoSchedule' &&
      !(spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint)),
  ).length
}

/** Whether a node has what a pod's selector and required affinity ask for. */
export function matchesNode(spec: PodSpec, node: Node): boolean {
  if (!matchesLabels(spec.nodeSelector ?? {}, node.metadata.labels)) return false
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return terms === undefined || terms.some((term) => matchesTerm(term, node))
}

export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  // An empty term matches no node (Kubernetes).
  if (matchExpressions.length + matchFields.length === 0) return false
  const fields = { 'metadata.name': node.metadata.name ?? '' }
  return (
    matchExpressions.every((requirement) => matchesRequirement(requirement, node.metadata.labels)) &&
    matchFields.every((requirement) => matchesRequirement(requirement, fields))
  )
}

export function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

/** Why a pod may not run on a node, whatever else runs there, in kube-scheduler's words; undefined when it may. */
export function nodeRefusal(spec: PodSpec, node: Node): string | undefined {
  const tolerations = spec.tolerations ?? []
  if (node.spec?.unschedulable === true && !tolerations.some((one) => tolerates(one, UNSCHEDULABLE)))
    return 'node(s) were unschedulable'
  const own = taintsOf(node)
  const taints = isNodeReady(node) || own.some(({ key }) => key === NOT_READY.key) ? own : [...own, NOT_READY]
  const bad = untolerated(spec, taints)
  if (bad !== undefined) return `node(s) had untolerated taint {${bad.key}: ${bad.value ?? ''}}`
  if (!matchesNode(spec, node)) return "node(s) didn't match Pod's node affinity/selector"
  return undefined
}
