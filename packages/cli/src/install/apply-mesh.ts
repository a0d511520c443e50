import type { ManifestObject } from '@ambit/chart'
import type { Cluster, ObjectReference } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { keepFailurePolicy } from './keep-failure-policy.ts'
import { readGatewayApi } from './manifest-set.ts'
import { describeObject, ownedObjects } from './owned-objects.ts'
import { COMPONENT_LABEL, MANAGED_LABEL, withOwner } from './owner-labels.ts'
import type { RenderedComponent } from './render-mesh.ts'
import type { InstallSettings } from './settings.ts'
import { waitReady } from './wait-ready.ts'

export interface ApplyOptions {
  readonly folder: string
  /** The mesh is there: each component is waited for before the next is touched, so that only one changes at a time. */
  readonly isUpgrade: boolean
  readonly timeoutMs: number
}

/** Applies the whole mesh, waits until it serves, and takes away what an earlier installation had and this one hasn't. */
export async function applyMesh(
  cluster: Cluster,
  context: Context,
  settings: InstallSettings,
  components: readonly RenderedComponent[],
  options: ApplyOptions,
): Promise<void> {
  const deadline = context.now() + options.timeoutMs
  const apply = async (component: RenderedComponent, wanted: (object: ManifestObject) => boolean): Promise<void> => {
    const by = {
      component: component.component.label,
      owner: settings.owner,
      namespace: settings.namespace,
      version: context.version,
    }
    const objects = component.objects.filter(wanted)
    await Promise.all(
      objects.map(async (object) =>
        cluster.apply(withOwner(await keepFailurePolicy(cluster, object), by), { dryRun: false }),
      ),
    )
  }
  const finish = async ({ component, objects }: RenderedComponent): Promise<void> => {
    await waitReady(cluster, context, objects, deadline)
    context.status?.(undefined)
    context.out(`${tick(context)} ${component.done}`)
  }
  const say = (some: readonly RenderedComponent[]): void =>
    context.status?.(`- Processing resources for ${some.map(({ component }) => component.title).join(', ')}.`)

  await Promise.all([ensureNamespaces(cluster, settings), ensureGatewayApi(cluster, context, options.folder)])
  const base = components.filter(({ component }) => component.key === 'base')
  const others = components.filter(({ component }) => component.key !== 'base')
  for (const component of options.isUpgrade ? components : base) {
    say([component])
    await apply(component, (object) => !isProgram(object))
    await apply(component, isProgram)
    await finish(component)
  }
  if (!options.isUpgrade) {
    say(others)
    // Everything is applied before anything is waited for: the agents need the controller, not the other way round.
    await Promise.all(others.map((component) => apply(component, (object) => !isProgram(object))))
    for (const component of others) await apply(component, isProgram)
    for (const component of others) await finish(component)
  }
  context.status?.('- Pruning removed resources')
  await prune(cluster, context, settings, components)
  context.status?.(undefined)
  context.out(`${tick(context)} Installation complete`)
}

/** What runs pods; the rest it needs is there before. */
export function isProgram({ kind }: ManifestObject): boolean {
  return kind === 'Deployment' || kind === 'DaemonSet'
}

async function ensureNamespaces(cluster: Cluster, settings: InstallSettings): Promise<void> {
  const names = new Set([settings.namespace, ...settings.requests.map(({ namespace }) => namespace)])
  for (const name of names) {
    const reference = { apiVersion: 'v1', kind: 'Namespace', name }
    if ((await cluster.read(reference)) !== undefined) continue
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, { dryRun: false })
  }
}

/** Gateway API's kinds are put only into a cluster that has none of them. */
async function ensureGatewayApi(cluster: Cluster, context: Context, folder: string): Promise<void> {
  const crd = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }
  if ((await cluster.read({ ...crd, name: 'gateways.gateway.networking.k8s.io' })) !== undefined) return
  const objects = await readGatewayApi(context, folder)
  await Promise.all(objects.map((object) => cluster.apply(object, { dryRun: false })))
}

async function prune(
  cluster: Cluster,
  context: Context,
  settings: InstallSettings,
  components: readonly RenderedComponent[],
): Promise<void> {
  const key = ({ kind, name, namespace }: ObjectReference): string => `${kind}/${namespace ?? ''}/${name}`
  const wanted = new Set(
    components.flatMap(({ objects }) =>
      objects.map(({ apiVersion, kind, metadata }) => key({ apiVersion, kind, ...metadata })),
    ),
  )
  const mine = `${COMPONENT_LABEL},${MANAGED_LABEL}=Reconcile,install.operator.istio.io/owning-resource=${settings.owner}`
  for (const { reference } of await ownedObjects(cluster, mine)) {
    if (wanted.has(key(reference))) continue
    if (await cluster.delete(reference)) context.out(`  Removed ${describeObject(reference)}.`)
  }
}

/** The mark in front of a finished step. */
export function tick(context: { readonly colour: boolean }): string {
  return context.colour ? '\u001b[32m✔\u001b[0m' : '✔'
}
