import { LABELS } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import type { StringMap } from '../watch/json.ts'

const TAG_LABEL = 'istio.io/tag'

/** The control plane a Gateway is for: its own label, else its namespace's, else the default one. */
export function revisionOf(labels: StringMap, namespaceLabels: StringMap | undefined): string {
  return labels[LABELS.revision] || namespaceLabels?.[LABELS.revision] || 'default'
}

/** Whether the name is that of our revision, or a tag that Services of the root namespace give it. */
export function isOurRevision(name: string, ours: string, rootServices: Iterable<KubeObject>): boolean {
  if (name === ours) return true
  for (const { metadata } of rootServices)
    if (metadata.labels?.[TAG_LABEL] === name && metadata.labels[LABELS.revision] === ours) return true
  return false
}
