import { LABELS } from '@ambit/api'
import type { ClusterObject } from '../cluster/cluster.types.ts'
import { programmedCondition, serviceAccountOf } from './waypoint-gateway.ts'

type Rows = readonly (readonly string[])[]

/** Spaces between columns, as istioctl has them in its waypoint tables. */
export const WAYPOINT_TABLE_PADDING = 5

/** `waypoint list`; with `byServiceAccount` in the columns of Istio 1.18. */
export function waypointListTable(
  waypoints: readonly ClusterObject[],
  options: { readonly withNamespace: boolean; readonly byServiceAccount: boolean },
): Rows {
  const { withNamespace, byServiceAccount } = options
  const header = byServiceAccount
    ? ['NAME', 'SERVICE ACCOUNT', 'REVISION', 'PROGRAMMED']
    : ['NAME', 'REVISION', 'TRAFFIC TYPE', 'PROGRAMMED']
  const rows = waypoints.map((waypoint) => {
    const { name, namespace, labels } = waypoint.metadata
    const revision = labels?.[LABELS.revision] || 'default'
    const programmed = programmedCondition(waypoint)?.status ?? 'False'
    const columns = byServiceAccount
      ? [name, serviceAccountOf(waypoint), revision, programmed]
      : [name, revision, labels?.[LABELS.waypointFor] || 'none', programmed]
    return withNamespace ? [namespace ?? '', ...columns] : columns
  })
  return [withNamespace ? ['NAMESPACE', ...header] : header, ...rows]
}

/** `waypoint status`: a row for each look at a waypoint. */
export function waypointStatusTable(looks: readonly ClusterObject[], withNamespace: boolean): Rows {
  const header = ['NAME', 'STATUS', 'TYPE', 'REASON', 'MESSAGE']
  const rows = looks.map((waypoint) => {
    const { status = '', type = '', reason = '', message = '' } = programmedCondition(waypoint) ?? {}
    const columns = [waypoint.metadata.name, status, type, reason, message]
    return withNamespace ? [waypoint.metadata.namespace ?? '', ...columns] : columns
  })
  return [withNamespace ? ['NAMESPACE', ...header] : header, ...rows]
}
