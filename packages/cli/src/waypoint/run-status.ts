import type { ClusterObject } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { NotReadyError } from '../errors.ts'
import type { Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { WAYPOINT_POLL_MS, WAYPOINT_TIMEOUT_MS } from '../limits.ts'
import { textTable } from '../text-table.ts'
import { namespaceOf } from './namespace.ts'
import { WAYPOINT_TABLE_PADDING, waypointStatusTable } from './tables.ts'
import { isProgrammed, isWaypoint, listGateways, readGateway } from './waypoint-gateway.ts'

/** `ambit waypoint status`: looks at each waypoint until it is programmed, or once with --wait=false. */
export async function runWaypointStatus({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const cluster = await context.cluster(flags)
  const withNamespace = flags.has('all-namespaces')
  const gateways = await listGateways(cluster, withNamespace ? undefined : namespaceOf(flags, cluster))
  if (gateways.length === 0) {
    context.out('No waypoints found.')
    return EXIT.ok
  }
  const waits = flags.text('wait') !== 'false'
  const deadline = context.now() + (flags.duration('waypoint-timeout') ?? WAYPOINT_TIMEOUT_MS)
  const looks: ClusterObject[] = []
  const print = (): void => {
    for (const line of textTable(waypointStatusTable(looks, withNamespace), WAYPOINT_TABLE_PADDING)) context.out(line)
  }
  for (const listed of gateways.filter(isWaypoint)) {
    const { name, namespace = '' } = listed.metadata
    let waypoint = listed
    for (;;) {
      looks.push(waypoint)
      if (isProgrammed(waypoint) || !waits) break
      if (context.now() >= deadline) {
        print()
        throw new NotReadyError(`timed out while retrieving status for waypoint\t${namespace}/${name}`)
      }
      await context.sleep(WAYPOINT_POLL_MS)
      waypoint = (await readGateway(cluster, namespace, name)) ?? { metadata: { name, namespace } }
    }
  }
  print()
  return EXIT.ok
}
