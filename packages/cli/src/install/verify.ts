import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { tick } from './apply-mesh.ts'
import { folderOf, settingsOf } from './install-options.ts'
import { type RenderedComponent, renderMesh } from './render-mesh.ts'
import { whyNotReady } from './wait-ready.ts'

/** `ambit verify-install`: is all of it there, and ready? */
export async function runVerifyInstall(flags: Flags, context: Context): Promise<ExitCode> {
  const settings = await settingsOf(flags, context)
  const cluster = await context.cluster(flags)
  const target = {
    folder: folderOf(flags, context),
    kubeVersion: (await cluster.serverVersion()) ?? '',
    force: flags.has('force'),
  }
  return await verify(cluster, context, await renderMesh(settings, target, context))
}

export async function verify(
  cluster: Cluster,
  context: Context,
  components: readonly RenderedComponent[],
): Promise<ExitCode> {
  let problems = 0
  const count = { crds: 0, deployments: 0 }
  for (const object of components.flatMap(({ objects }) => objects)) {
    const { kind, metadata } = object
    const place = `${kind}: ${metadata.name}${metadata.namespace === undefined ? '' : `.${metadata.namespace}`}`
    const reason = await whyNotReady(cluster, object)
    if (kind === 'CustomResourceDefinition') count.crds++
    if (kind === 'Deployment') count.deployments++
    if (reason === undefined) context.out(`${tick(context)} ${place} checked successfully`)
    else {
      problems++
      context.err(`✘ ${place}: ${reason}`)
    }
  }
  context.out(`Checked ${count.crds} custom resource definitions`)
  context.out(`Checked ${count.deployments} Istio Deployments`)
  if (problems === 0) {
    context.out(`${tick(context)} Istio is installed and verified successfully`)
    return EXIT.ok
  }
  context.err(`! ${problems} of the objects are not as they should be`)
  return EXIT.failure
}
