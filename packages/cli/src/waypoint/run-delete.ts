import { LABELS } from '@ambit/api'
import { messageOf } from '@ambit/core'
import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { ClusterError, WaypointError } from '../errors.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { howToRequire, namespaceOf, readNamespace, requiresWaypoint } from './namespace.ts'
import { deleteGateway, isWaypoint, listGateways } from './waypoint-gateway.ts'
import { waypointRequest } from './waypoint-request.ts'

/** `ambit waypoint delete`: only Gateways that are waypoints, whatever is named. */
export async function runWaypointDelete({ flags, positionals }: Invocation, context: Context): Promise<ExitCode> {
  const revision = flags.text('revision') || undefined
  const everything = flags.has('all') || revision !== undefined
  const named = namesToDelete(flags, positionals)
  if (everything && positionals.length > 0) {
    throw new WaypointError('cannot specify waypoint names when deleting all waypoints')
  }
  if (!everything && named.length === 0) {
    throw new WaypointError(
      'must specify a waypoint name or delete all using --all or delete specific revision using --revision',
    )
  }
  const cluster = await context.cluster(flags)
  const namespace = namespaceOf(flags, cluster)
  const selector = revision === undefined ? undefined : `${LABELS.revision}=${revision}`
  const gateways = await listGateways(cluster, namespace, selector)
  const present = gateways.filter(isWaypoint).map((gateway) => gateway.metadata.name)
  const wanted = everything ? present : [...new Set(named)]
  const deleted: string[] = []
  const failures: string[] = []
  for (const name of wanted) {
    try {
      const was = present.includes(name) && (await deleteGateway(cluster, namespace, name))
      context.out(`waypoint ${namespace}/${name} ${was ? 'deleted' : 'not found'}`)
      if (was) deleted.push(name)
    } catch (error) {
      failures.push(messageOf(error))
    }
  }
  await warnWhenNamed(cluster, context, namespace, deleted)
  if (failures.length > 0) throw new ClusterError(failures.join('; '))
  return EXIT.ok
}

/** In the form of Istio 1.18, --service-account names the waypoint unless an argument does. */
function namesToDelete(flags: Flags, positionals: readonly string[]): readonly string[] {
  if (positionals.length > 0 || flags.text('service-account') === undefined) return positionals
  return [waypointRequest(flags).name]
}

/** Not istioctl's: what still points to a waypoint that is gone goes on without its policies. */
async function warnWhenNamed(
  cluster: Cluster,
  context: Context,
  name: string,
  deleted: readonly string[],
): Promise<void> {
  if (deleted.length === 0) return
  const namespace = await readNamespace(cluster, name)
  const used = namespace.metadata.labels?.[LABELS.useWaypoint] ?? ''
  const elsewhere = namespace.metadata.labels?.[LABELS.useWaypointNamespace] ?? name
  if (!deleted.includes(used) || elsewhere !== name) return
  context.err(
    requiresWaypoint(namespace)
      ? `! namespace ${name} still uses waypoint ${used}: its traffic is refused until there is one`
      : `! namespace ${name} still uses waypoint ${used}: its traffic goes direct now, past L7 policies; ${howToRequire(name)}`,
  )
}
