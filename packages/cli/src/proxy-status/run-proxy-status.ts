import { stringify } from 'yaml'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import type { Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { textTable } from '../text-table.ts'
import { listIstiods, syncedProxies } from './istiod.ts'
import type { ProxyOf } from './table.ts'
import { proxyStatusTable } from './table.ts'

/** `ambit proxy-status`. */
export async function runProxyStatus(invocation: Invocation, context: Context): Promise<ExitCode> {
  const { flags, positionals } = invocation
  const cluster = await context.cluster(flags)
  const namespace = istioNamespace(flags)
  const istiods = await listIstiods(cluster, namespace)
  if (istiods.length === 0) {
    context.err(`no running istiod pod in namespace "${namespace}"; install the mesh with: ambit install`)
    return EXIT.failure
  }
  const found: ProxyOf[] = []
  for (const istiod of istiods) {
    for (const proxy of await syncedProxies(cluster, istiod)) found.push({ istiod: istiod.metadata.name, proxy })
  }
  const inNamespace = flags.text('namespace')
  const wanted = found.filter(({ proxy }) => inNamespace === undefined || proxy.name.endsWith(`.${inNamespace}`))
  const [pod] = positionals
  if (pod !== undefined) {
    const match = wanted.find(({ proxy }) => proxy.name === pod || proxy.name.startsWith(`${pod}.`))
    context.err(
      match === undefined
        ? `no proxy "${pod}" is connected`
        : `Sync diff is not available for ${match.proxy.type} pod ${match.proxy.name}`,
    )
    return EXIT.failure
  }
  const output = flags.text('output') ?? 'short'
  if (output === 'json') context.out(JSON.stringify(wanted, undefined, 2))
  else if (output === 'yaml') context.out(stringify(wanted).trimEnd())
  else {
    const perType = (flags.count('verbosity') ?? 0) > 0
    for (const line of textTable(proxyStatusTable(wanted, perType, context.now()), 5)) context.out(line)
  }
  return EXIT.ok
}
