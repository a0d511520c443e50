import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import { NotReadyError } from '../errors.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { READINESS_POLL_MS, READINESS_TIMEOUT_S } from '../limits.ts'
import type { InstallStep } from './manifest-set.ts'
import { readManifestSet } from './manifest-set.ts'
import type { InstallOptions } from './prepare-object.ts'
import { prepareObject } from './prepare-object.ts'
import { hasReadiness, notReadyReason, podTrouble } from './readiness.ts'
import { parseSettings } from './settings.ts'

/** `ambit install`. */
export async function runInstall(flags: Flags, context: Context): Promise<ExitCode> {
  const settings = parseSettings(flags.list('set'))
  if (settings.kind === 'refused') {
    context.err(settings.message)
    return EXIT.usage
  }
  for (const line of settings.leftOut) context.err(line)
  const dryRun = flags.has('dry-run')
  if (!flags.has('skip-confirmation') && !dryRun) {
    const question = `This will install the Istio ${context.version} profile "ambient" into the cluster. Proceed? (y/N) `
    if (!(await context.confirm(question))) {
      context.err('Cancelled. (Without a terminal, say -y.)')
      return EXIT.failure
    }
  }
  const options = { namespace: istioNamespace(flags), version: context.version, hub: settings.hub, tag: settings.tag }
  const timeoutMs = flags.duration('readiness-timeout') ?? READINESS_TIMEOUT_S * 1000
  await install(await context.cluster(flags), context, options, { dryRun, timeoutMs })
  return EXIT.ok
}

/** Applies the whole mesh and waits until it serves. */
export async function install(
  cluster: Cluster,
  context: Context,
  options: InstallOptions,
  how: { readonly dryRun: boolean; readonly timeoutMs: number },
): Promise<void> {
  const set = await readManifestSet(context, context.deployFolder)
  const [base, pilot, cni, ztunnel] = set.steps
  if (base === undefined || pilot === undefined || cni === undefined || ztunnel === undefined) return
  const deadline = context.now() + how.timeoutMs
  const applyStep = async (step: InstallStep): Promise<void> => {
    const apply = (object: ClusterObject): Promise<void> =>
      cluster.apply(prepareObject(object, step.component, options), { dryRun: how.dryRun })
    await Promise.all(step.objects.filter(isCrd).map(apply))
    for (const object of step.objects.filter((one) => !isCrd(one))) await apply(object)
  }
  const finish = async (step: InstallStep): Promise<void> => {
    if (!how.dryRun) await waitReady(cluster, context, step.objects, deadline)
    context.out(`${tick(context)} ${step.done}`)
  }
  if (!how.dryRun && !(await hasGatewayApi(cluster))) {
    await Promise.all(set.gatewayApi.map((object) => cluster.apply(object, { dryRun: false })))
  }
  await applyStep(base)
  await finish(base)
  if (how.dryRun) {
    // Without the namespace the API server cannot judge what goes into it, so the rest is only listed.
    for (const step of [pilot, cni, ztunnel]) {
      for (const object of step.objects) context.out(`  would apply ${object.kind} ${object.metadata.name}`)
    }
    return
  }
  // Everything is applied before anything is waited for: the agents need the controller, not the other way round.
  for (const step of [pilot, cni, ztunnel]) await applyStep(step)
  for (const step of [pilot, cni, ztunnel]) await finish(step)
  context.out(`${tick(context)} Installation complete`)
  context.out('The ambient profile has been installed successfully, enjoy Istio without sidecars!')
}

/** CRDs do not refer to each other, so they are applied side by side. */
function isCrd(object: ClusterObject): boolean {
  return object.kind === 'CustomResourceDefinition'
}

async function hasGatewayApi(cluster: Cluster): Promise<boolean> {
  const crd = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }
  return (await cluster.read({ ...crd, name: 'gateways.gateway.networking.k8s.io' })) !== undefined
}

async function waitReady(
  cluster: Cluster,
  context: Context,
  objects: readonly ClusterObject[],
  deadline: number,
): Promise<void> {
  for (const object of objects.filter(hasReadiness)) {
    for (;;) {
      const reason = await whyNotReady(cluster, object)
      if (reason === undefined) break
      if (context.now() >= deadline) throw await notReadyError(cluster, object, reason)
      await context.sleep(READINESS_POLL_MS)
    }
  }
}

async function whyNotReady(cluster: Cluster, object: ClusterObject): Promise<string | undefined> {
  const current = await cluster.read({
    apiVersion: object.apiVersion ?? '',
    kind: object.kind ?? '',
    name: object.metadata.name,
    namespace: object.metadata.namespace,
  })
  return current === undefined ? 'not there' : notReadyReason({ ...current, kind: object.kind ?? '' })
}

async function notReadyError(cluster: Cluster, object: ClusterObject, reason: string): Promise<NotReadyError> {
  const { name, namespace } = object.metadata
  const pods = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace })
  const troubles = pods.filter((pod) => pod.metadata.name.startsWith(`${name}-`)).map(podTrouble)
  const detail = troubles.filter((trouble) => trouble !== undefined).map((trouble) => `\n  ${trouble}`)
  return new NotReadyError(
    `${object.kind} ${name} did not become ready in time: ${reason}${detail.join('')}\n` +
      `Next: kubectl -n ${namespace} describe pods; kubectl -n ${namespace} logs ${object.kind?.toLowerCase()}/${name}`,
  )
}

/** The mark in front of a finished step. */
export function tick(context: { readonly colour: boolean }): string {
  return context.colour ? '\u001b[32m✔\u001b[0m' : '✔'
}
