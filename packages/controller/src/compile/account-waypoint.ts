import { ANNOTATIONS, LABELS } from '@ambit/api'
import type { Gateway } from '../domain.types.ts'

/** Istio 1.18: without an account the waypoint of a namespace has this name, and none of the labels that came later. */
const NAMESPACE_WAYPOINT = 'namespace'

/** Whether the Gateway binds workloads by their service account, as until Istio 1.21; nobody needs to ask for it by label. */
export function isAccountWaypoint({ name, labels, annotations }: Gateway): boolean {
  if (annotations[ANNOTATIONS.forServiceAccount]) return true
  return name === NAMESPACE_WAYPOINT && labels[LABELS.waypointFor] === undefined
}

/** The account it is for; undefined: all that have no waypoint of their own. */
export function accountOf({ annotations }: Gateway): string | undefined {
  return annotations[ANNOTATIONS.forServiceAccount] || undefined
}
