import { LABELS } from '@ambit/api'
import type { Cluster, ClusterObject, ObjectReference } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { READINESS_POLL_MS, READINESS_TIMEOUT_S } from '../limits.ts'
import { readManifestSet } from './manifest-set.ts'
import { tick } from './run-install.ts'

/** `ambit uninstall --purge`: removes what install applied, but the CRDs and the namespace, as istioctl does. */
export async function runUninstall(flags: Flags, context: Context): Promise<ExitCode> {
  if (!flags.has('purge')) {
    context.err('say which resources: --purge removes all of them (a single revision cannot be removed yet)')
    return EXIT.usage
  }
  const cluster = await context.cluster(flags)
  await warnAboutEnrolled(cluster, context)
  context.out('All Istio resources will be pruned from the cluster')
  if (!flags.has('skip-confirmation') && !(await context.confirm('Proceed? (y/N) '))) {
    context.err('Cancelled. (Without a terminal, say -y.)')
    return EXIT.failure
  }
  const set = await readManifestSet(context, context.deployFolder)
  const all = set.steps.flatMap((step) => step.objects).filter(isRemovable)
  const programs = all.filter((object) => object.kind === 'DaemonSet' || object.kind === 'Deployment')
  const rest = all.filter((object) => !programs.includes(object))
  // ztunnel before the agents: these let pods go only when nobody serves them any more. Accounts and roles go last, since
  // the agents ask the API server while they end.
  for (const [pods, names] of [
    [/^ztunnel-/, ['ztunnel']],
    [/^(istiod|istio-cni-node)-/, ['istio-cni-node', 'istiod']],
  ] as const) {
    for (const object of programs.filter(({ metadata }) => names.some((name) => name === metadata.name))) {
      await remove(cluster, context, object)
    }
    await waitForEnd(cluster, context, istioNamespace(flags), pods)
  }
  for (const object of rest.toReversed()) await remove(cluster, context, object)
  context.out(`${tick(context)} Uninstall complete`)
  return EXIT.ok
}

function isRemovable(object: ClusterObject): boolean {
  return object.kind !== 'CustomResourceDefinition' && object.kind !== 'Namespace'
}

async function remove(cluster: Cluster, context: Context, object: ClusterObject): Promise<void> {
  const { name, namespace } = object.metadata
  const reference: ObjectReference = { apiVersion: object.apiVersion ?? '', kind: object.kind ?? '', name, namespace }
  if (await cluster.delete(reference)) context.out(`  Removed ${object.kind}:${namespace ?? ''}:${name}.`)
}

async function waitForEnd(cluster: Cluster, context: Context, namespace: string, ours: RegExp): Promise<void> {
  const deadline = context.now() + READINESS_TIMEOUT_S * 1000
  for (;;) {
    const pods = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace })
    const left = pods.filter((pod) => ours.test(pod.metadata.name))
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
