import { LABELS } from '@ambit/api'
import { messageOf } from '@ambit/core'
import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import { isNotFound } from '../cluster/is-not-found.ts'
import type { Context } from '../context.types.ts'
import { NotReadyError, WaypointError } from '../errors.ts'
import type { Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { WAYPOINT_POLL_MS, WAYPOINT_TIMEOUT_MS } from '../limits.ts'
import { howToRequire, namespaceOf, readNamespace, requiresWaypoint } from './namespace.ts'
import { hasAddress, isProgrammed, programmedCondition, readGateway, waypointGateway } from './waypoint-gateway.ts'
import { conflictWithServiceAccount, waypointRequest } from './waypoint-request.ts'

/** istioctl's, so that either tool may change what the other has applied. */
const FIELD_MANAGER = 'istioctl'

/** `ambit waypoint apply`: Gateway, wait, namespace label, in this order. */
export async function runWaypointApply({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const conflict = conflictWithServiceAccount(flags)
  if (conflict !== undefined) {
    context.err(`Error: ${conflict}`)
    return EXIT.usage
  }
  const request = waypointRequest(flags)
  const cluster = await context.cluster(flags)
  const namespace = namespaceOf(flags, cluster)
  const enrols = flags.has('enroll-namespace')
  const before = await readNamespace(cluster, namespace)
  if (enrols) {
    const labels = before.metadata.labels ?? {}
    if (labels[LABELS.useWaypoint] && !flags.has('overwrite')) {
      context.out(
        `⚠️ Warning: namespace (${namespace}) already has an enrolled Waypoint. Consider adding the \`--overwrite\` flag to your apply command.`,
      )
      return EXIT.ok
    }
    if (labels[LABELS.dataplaneMode] !== 'ambient') {
      context.out(
        `⚠️ Warning: namespace is not enrolled in ambient. Consider running\t\`kubectl label namespace ${namespace} ${LABELS.dataplaneMode}=ambient\``,
      )
    }
  }
  const gateway = waypointGateway(request, namespace)
  // istioctl 1.18 printed the same lines without a mark.
  const mark = request.serviceAccount === undefined ? '✅ ' : ''
  await applyGateway(cluster, gateway)
  context.out(`${mark}waypoint ${namespace}/${request.name} applied`)
  if (flags.has('wait')) {
    const timeoutMs = flags.duration('waypoint-timeout') ?? WAYPOINT_TIMEOUT_MS
    await waitUntilProgrammed(cluster, context, { namespace, name: request.name, timeoutMs })
    context.out(`${mark}waypoint ${namespace}/${request.name} is ready!`)
  }
  if (enrols) {
    await enrol(cluster, namespace, request.name)
    context.out(`${mark}namespace ${namespace} labeled with "${LABELS.useWaypoint}: ${request.name}"`)
    await warnWhenDirect(cluster, context, before, request.name)
  }
  return EXIT.ok
}

async function applyGateway(cluster: Cluster, gateway: ClusterObject): Promise<void> {
  try {
    await cluster.apply(gateway, { dryRun: false, fieldManager: FIELD_MANAGER, force: false })
  } catch (cause) {
    if (!isNotFound(cause)) throw cause
    throw new WaypointError(
      `missing Kubernetes Gateway CRDs need to be installed before applying a waypoint: ${messageOf(cause)}`,
      { cause },
    )
  }
}

async function waitUntilProgrammed(
  cluster: Cluster,
  context: Context,
  what: { readonly namespace: string; readonly name: string; readonly timeoutMs: number },
): Promise<void> {
  const { namespace, name } = what
  const deadline = context.now() + what.timeoutMs
  for (;;) {
    let gateway: ClusterObject | undefined
    let failure = ''
    try {
      gateway = await readGateway(cluster, namespace, name)
    } catch (error) {
      // The API server may be away for a moment; the time allowed covers that as well.
      failure = `: ${messageOf(error)}`
    }
    if (isProgrammed(gateway)) return
    if (context.now() >= deadline) {
      const condition = programmedCondition(gateway)
      if (condition !== undefined) context.err(`  ${condition.reason}: ${condition.message}`)
      context.err(`Next: kubectl -n ${namespace} describe gateway ${name}; kubectl -n ${namespace} get pods`)
      throw new NotReadyError(`timed out while waiting for waypoint\t${namespace}/${name}${failure}`)
    }
    await context.sleep(WAYPOINT_POLL_MS)
  }
}

async function enrol(cluster: Cluster, namespace: string, name: string): Promise<void> {
  try {
    const patch = { metadata: { labels: { [LABELS.useWaypoint]: name } } }
    await cluster.mergePatch({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, patch)
  } catch (cause) {
    throw new WaypointError(`failed to label namespace with waypoint: ${messageOf(cause)}`, { cause })
  }
}

/** Not istioctl's: there, traffic passes by a waypoint that does not exist yet, and nobody is told. */
async function warnWhenDirect(
  cluster: Cluster,
  context: Context,
  namespace: ClusterObject,
  waypoint: string,
): Promise<void> {
  if (requiresWaypoint(namespace) || hasAddress(await readGateway(cluster, namespace.metadata.name, waypoint))) return
  const { name } = namespace.metadata
  context.err(
    `! waypoint ${name}/${waypoint} has no address yet: until it has one, traffic goes direct, past its policies; ${howToRequire(name)}`,
  )
}
