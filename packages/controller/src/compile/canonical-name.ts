import { LABELS } from '@ambit/api'
import type { StringMap } from '../watch/json.ts'

export function canonicalNameOf(labels: StringMap, workloadName: string): string {
  return labels[LABELS.canonicalName] || labels['app.kubernetes.io/name'] || labels['app'] || workloadName
}

export function canonicalRevisionOf(labels: StringMap): string {
  return labels[LABELS.canonicalRevision] || labels['app.kubernetes.io/version'] || labels['version'] || 'latest'
}
