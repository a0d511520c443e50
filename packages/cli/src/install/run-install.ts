import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { READINESS_TIMEOUT_S } from '../limits.ts'
import { checkKubernetes } from '../precheck/checks.ts'
import { applyMesh, tick } from './apply-mesh.ts'
import { folderOf, settingsOf } from './install-options.ts'
import { type RenderedComponent, renderMesh } from './render-mesh.ts'
import { type InstallSettings, readSettings } from './settings.ts'
import { verify } from './verify.ts'

/** `ambit install` and `ambit upgrade`. */
export async function runInstall(flags: Flags, context: Context): Promise<ExitCode> {
  const settings = await settingsOf(flags, context)
  const cluster = await context.cluster(flags)
  const folder = folderOf(flags, context)
  const installed = await installedVersion(cluster, settings.namespace)
  const kubeVersion = (await cluster.serverVersion()) ?? ''
  for (const { message } of checkKubernetes(kubeVersion)) context.err(`! ${message}; there may be problems`)
  const target = {
    folder,
    kubeVersion,
    force: flags.has('force'),
  }
  const components = await renderMesh(settings, target, context)
  for (const note of settings.notes) context.err(note)
  if (installed !== undefined && installed !== context.version) {
    context.err(
      `WARNING: Istio is being ${installed < context.version ? 'upgraded' : 'downgraded'} from ${installed} to ${context.version}.`,
    )
  }
  if (flags.has('dry-run')) {
    await dryRun(cluster, context, components)
    return EXIT.ok
  }
  if (!flags.has('skip-confirmation')) {
    const question = `This will install the Istio ${context.version} profile "${settings.profile}" into the cluster. Proceed? (y/N) `
    if (!(await context.confirm(question))) {
      context.err('Cancelled. (Without a terminal, say -y.)')
      return EXIT.failure
    }
  }
  const timeoutMs = flags.duration('readiness-timeout') ?? READINESS_TIMEOUT_S * 1000
  await applyMesh(cluster, context, settings, components, { folder, isUpgrade: installed !== undefined, timeoutMs })
  sayWelcome(settings, context)
  return flags.has('verify') ? await verify(cluster, context, components) : EXIT.ok
}

/** Installs the ambient profile as it is; for the sandbox's shorthand. */
export async function installAmbient(cluster: Cluster, context: Context, set: readonly string[]): Promise<void> {
  const folder = context.deployFolder
  const settings = await readSettings({ files: [], set }, folder, context)
  const isUpgrade = (await installedVersion(cluster, settings.namespace)) !== undefined
  const target = { folder, kubeVersion: (await cluster.serverVersion()) ?? '', force: false }
  const components = await renderMesh(settings, target, context)
  await applyMesh(cluster, context, settings, components, { folder, isUpgrade, timeoutMs: READINESS_TIMEOUT_S * 1000 })
  sayWelcome(settings, context)
}

function sayWelcome(settings: InstallSettings, context: Context): void {
  if (settings.profile === 'ambient') {
    context.out('The ambient profile has been installed successfully, enjoy Istio without sidecars!')
  }
}

/** Without the namespaces the API server can't judge what goes into them, so the objects are only listed. */
async function dryRun(cluster: Cluster, context: Context, components: readonly RenderedComponent[]): Promise<void> {
  for (const { component, objects } of components) {
    for (const { apiVersion, kind, metadata } of objects) {
      const there = await cluster
        .read({ apiVersion, kind, name: metadata.name, namespace: metadata.namespace })
        .catch(() => undefined)
      context.out(
        `  would ${there === undefined ? 'create' : 'apply'} ${kind}:${metadata.namespace ?? ''}:${metadata.name}`,
      )
    }
    context.out(`${tick(context)} ${component.done}`)
  }
  context.out(`${tick(context)} Installation complete`)
}

/** What the controller that is there says it is; undefined without one. */
async function installedVersion(cluster: Cluster, namespace: string): Promise<string | undefined> {
  const found = await cluster.read({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'istiod', namespace })
  return found === undefined
    ? undefined
    : (found.metadata.labels?.['operator.istio.io/version'] ?? 'an unknown version')
}
