import { LABELS } from '@ambit/api'
import type { StringMap } from './json.ts'
import { type LabelSelector, selectorMatches } from './label-selector.ts'

/** What of the cluster this control plane looks at. */
export interface Scope {
  readonly rootNamespace: string
  readonly revision: string
  /** Further names of the revision. */
  readonly tags: ReadonlySet<string>
  /** `discoverySelectors` of the mesh: alternatives; none selects every namespace. */
  readonly discoverySelectors: readonly LabelSelector[]
}

/**
 * Whether objects of the namespace count. The root namespace always does: policies for the whole mesh live there. A
 * namespace not seen yet does not, once there are selectors.
 */
export function coversNamespace(scope: Scope, name: string, labels: StringMap | undefined): boolean {
  if (scope.discoverySelectors.length === 0 || name === scope.rootNamespace || name === '') return true
  return labels !== undefined && scope.discoverySelectors.some((selector) => selectorMatches(selector, labels))
}

/** Whether a policy or other configuration is for this revision; without a label it is for all. */
export function coversRevision(scope: Scope, labels: StringMap): boolean {
  const revision = labels[LABELS.revision]
  return revision === undefined || revision === scope.revision || scope.tags.has(revision)
}
