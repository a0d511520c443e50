import type { Context } from '../context.types.ts'
import type { Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { textTable } from '../text-table.ts'
import { namespaceOf } from './namespace.ts'
import { WAYPOINT_TABLE_PADDING, waypointListTable } from './tables.ts'
import { isWaypoint, listGateways, serviceAccountOf } from './waypoint-gateway.ts'

/**
 * `ambit waypoint list`. Under `experimental`, waypoints made for service accounts are shown in the columns of the
 * version that had them, Istio 1.18; so they are wherever --service-account is given, which then also chooses among them.
 */
export async function runWaypointList(
  { flags }: Invocation,
  context: Context,
  experimental: boolean,
): Promise<ExitCode> {
  const cluster = await context.cluster(flags)
  const withNamespace = flags.has('all-namespaces')
  const gateways = await listGateways(cluster, withNamespace ? undefined : namespaceOf(flags, cluster))
  if (gateways.length === 0) {
    context.out('No waypoints found.')
    return EXIT.ok
  }
  const account = flags.text('service-account')
  const waypoints = gateways.filter(isWaypoint).filter((gateway) => !account || serviceAccountOf(gateway) === account)
  const byServiceAccount =
    account !== undefined || (experimental && waypoints.some((waypoint) => serviceAccountOf(waypoint) !== ''))
  const rows = waypointListTable(waypoints, { withNamespace, byServiceAccount })
  for (const line of textTable(rows, WAYPOINT_TABLE_PADDING)) context.out(line)
  return EXIT.ok
}
