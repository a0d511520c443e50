import { LABELS } from '@ambit/api'
import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { READINESS_POLL_MS, READINESS_TIMEOUT_S } from '../limits.ts'
import { tick } from './apply-mesh.ts'
import { describeObject, type OwnedObject, ownedObjects } from './owned-objects.ts'
import { COMPONENT_LABEL } from './owner-labels.ts'

/** `ambit uninstall --purge`: removes all that an installation put there, but the CRDs and the namespace. */
export async function runUninstall(flags: Flags, context: Context): Promise<ExitCode> {
  if (!flags.has('purge')) {
    context.err('say which resources: --purge removes all of them (a single revision cannot be removed yet)')
    return EXIT.usage
  }
  const cluster = await context.cluster(flags)
  const all = await ownedObjects(cluster, COMPONENT_LABEL)
  if (!flags.has('dry-run')) await warnAboutEnrolled(cluster, context)
  context.out('All Istio resources will be pruned from the cluster')
  if (flags.has('dry-run')) {
    for (const { reference } of all) context.out(`Not pruning object ${describeObject(reference)} because of dry run.`)
    return EXIT.ok
  }
  if (!flags.has('skip-confirmation') && !(await context.confirm('Proceed? (y/N) '))) {
    context.err('Cancelled. (Without a terminal, say -y.)')
    return EXIT.failure
  }
  const programs = all.filter(({ reference }) => reference.kind === 'DaemonSet' || reference.kind === 'Deployment')
  const rest = all.filter((object) => !programs.includes(object))
  // ztunnel before the agents: these let pods go only when nobody serves them any more. Accounts and roles go last, since
  // the agents ask the API server while they end.
  const isZtunnel = ({ labels }: OwnedObject): boolean => labels[COMPONENT_LABEL] === 'Ztunnel'
  for (const group of [programs.filter(isZtunnel), programs.filter((object) => !isZtunnel(object))]) {
    for (const object of group) await remove(cluster, context, object)
    await waitForEnd(cluster, context, group)
  }
  for (const object of rest) await remove(cluster, context, object)
  context.out(`${tick(context)} Uninstall complete`)
  return EXIT.ok
}

async function remove(cluster: Cluster, context: Context, { reference }: OwnedObject): Promise<void> {
  if (await cluster.delete(reference)) context.out(`  Removed ${describeObject(reference)}.`)
}

async function waitForEnd(cluster: Cluster, context: Context, programs: readonly OwnedObject[]): Promise<void> {
  const deadline = context.now() + READINESS_TIMEOUT_S * 1000
  const namespaces = new Set(programs.map(({ reference }) => reference.namespace))
  for (;;) {
    const lists = [...namespaces].map((namespace) => cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace }))
    const pods = (await Promise.all(lists)).flat()
    const left = pods.filter((pod) =>
      programs.some(
        ({ reference: { name, namespace } }) =>
          pod.metadata.namespace === namespace && pod.metadata.name.startsWith(`${name}-`),
      ),
    )
    if (left.length === 0) return
    if (context.now() >= deadline) {
      context.err(`pods are still ending: ${left.map((pod) => pod.metadata.name).join(', ')}`)
      return
    }
    await context.sleep(READINESS_POLL_MS)
  }
}

async function warnAboutEnrolled(cluster: Cluster, context: Context): Promise<void> {
  const enrolled = await cluster.list({
    apiVersion: 'v1',
    kind: 'Namespace',
    labelSelector: `${LABELS.dataplaneMode}=ambient`,
  })
  if (enrolled.length === 0) return
  const names = enrolled.map((namespace) => namespace.metadata.name).join(', ')
  context.err(`! pods of these namespaces leave the mesh now and go on in plain text: ${names}`)
}
