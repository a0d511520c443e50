import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { askIstiod, listIstiods, syncedProxies } from '../proxy-status/istiod.ts'

interface Versions {
  readonly client: string
  readonly controlPlane: readonly string[]
  /** Version of each connected proxy. */
  readonly dataPlane: readonly string[]
}

/** `ambit version`. Without a cluster it tells the client's version and why nothing more. */
export async function runVersion(flags: Flags, context: Context): Promise<ExitCode> {
  const remote = flags.text('remote') !== 'false'
  if (!remote) {
    print({ client: context.version, controlPlane: [], dataPlane: [] }, flags, context, false)
    return EXIT.ok
  }
  try {
    return await askVersions(flags, context)
  } catch (error) {
    print({ client: context.version, controlPlane: [], dataPlane: [] }, flags, context, false)
    throw error
  }
}

async function askVersions(flags: Flags, context: Context): Promise<ExitCode> {
  const namespace = istioNamespace(flags)
  const cluster = await context.cluster(flags)
  const istiods = await listIstiods(cluster, namespace)
  if (istiods.length === 0) context.err(`no ready Istio pods in "${namespace}"`)
  const controlPlane: string[] = []
  const dataPlane: string[] = []
  for (const istiod of istiods) {
    controlPlane.push(shortVersion(await askIstiod(cluster, istiod, '/version')))
    for (const proxy of await syncedProxies(cluster, istiod)) dataPlane.push(proxy.version)
  }
  print({ client: context.version, controlPlane, dataPlane }, flags, context, istiods.length > 0)
  return EXIT.ok
}

/** Lines of the human form. */
export function versionLines(versions: Versions): readonly string[] {
  const counts = new Map<string, number>()
  for (const version of versions.dataPlane) counts.set(version, (counts.get(version) ?? 0) + 1)
  const proxies = [...counts].map(([version, count]) => `${version} (${count} ${count === 1 ? 'proxy' : 'proxies'})`)
  return [
    `client version: ${versions.client}`,
    `control plane version: ${[...new Set(versions.controlPlane)].join(', ') || 'none'}`,
    `data plane version: ${proxies.join(', ') || 'none'}`,
  ]
}

function print(versions: Versions, flags: Flags, context: Context, withMesh: boolean): void {
  if (flags.text('output') === 'json') context.out(JSON.stringify(versions, undefined, 2))
  else if (withMesh) for (const line of versionLines(versions)) context.out(line)
  else context.out(flags.has('short') ? versions.client : `client version: ${versions.client}`)
}

/** istiod answers `VERSION-GITSHA-Clean`; only the first part is a version. */
function shortVersion(text: string): string {
  return text.trim().replace(/-[^-]+-(Clean|Modified)$/, '')
}
