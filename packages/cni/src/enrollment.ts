// Not the whole package: the CNI plugin starts anew for every pod, and the codecs take 60 ms to load.
import { ANNOTATIONS, LABELS } from '@ambit/api/labels'
import { type LabelSelector, parseLabelSelector, SelectorError, selects } from './label-selector.ts'
import type { NamespaceFacts, PodFacts } from './pod-facts.ts'

/** A pod is selected when both halves match; entries of a list are alternatives. */
export interface EnablementSelector {
  readonly pod: LabelSelector
  readonly namespace: LabelSelector
}

export interface EnrollmentRules {
  readonly selectors: readonly EnablementSelector[]
  readonly excludeNamespaces: readonly string[]
}

/** Istio's defaults: the pod says so, or the namespace does and the pod does not object. */
export const DEFAULT_SELECTORS: readonly EnablementSelector[] = [
  { pod: [{ key: LABELS.dataplaneMode, operator: 'In', values: ['ambient'] }], namespace: [] },
  {
    pod: [{ key: LABELS.dataplaneMode, operator: 'NotIn', values: ['none'] }],
    namespace: [{ key: LABELS.dataplaneMode, operator: 'In', values: ['ambient'] }],
  },
]

export type EnrollmentReason =
  | 'selected'
  | 'not selected'
  | 'opted out'
  | 'host network'
  | 'excluded namespace'
  | 'has a sidecar'
  | 'terminated'

export interface Enrollment {
  readonly enrolled: boolean
  readonly reason: EnrollmentReason
}

const no = (reason: EnrollmentReason): Enrollment => ({ enrolled: false, reason })

/** The one place that decides whether a pod is captured. */
export function enrollment(pod: PodFacts, namespace: NamespaceFacts, rules: EnrollmentRules): Enrollment {
  if (isTerminal(pod)) return no('terminated')
  // Redirecting the host's namespace would capture the whole node.
  if (pod.hostNetwork) return no('host network')
  if (rules.excludeNamespaces.includes(pod.namespace)) return no('excluded namespace')
  if (pod.annotations.has(ANNOTATIONS.sidecarStatus)) return no('has a sidecar')
  const selected = rules.selectors.some(
    (selector) => selects(selector.pod, pod.labels) && selects(selector.namespace, namespace.labels),
  )
  if (selected) return { enrolled: true, reason: 'selected' }
  return no(pod.labels.get(LABELS.dataplaneMode) === 'none' ? 'opted out' : 'not selected')
}

/** Its processes are gone for good, although the object may stay for long. */
export function isTerminal(pod: PodFacts): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed'
}

/** Reads the list of `{podSelector, namespaceSelector}` of the agent's configuration. */
export function parseEnablementSelectors(value: unknown): readonly EnablementSelector[] {
  if (!Array.isArray(value)) throw new SelectorError('enablement selectors must be a list')
  return value.map((entry: unknown, index) => {
    const { podSelector, namespaceSelector, ...unknown } = (entry ?? {}) as Record<string, unknown>
    const strange = Object.keys(unknown)
    if (strange.length > 0) throw new SelectorError(`enablement selector ${index} has no field ${strange.join(', ')}`)
    return { pod: parseLabelSelector(podSelector), namespace: parseLabelSelector(namespaceSelector) }
  })
}
