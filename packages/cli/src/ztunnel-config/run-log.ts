import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import { ClusterError } from '../errors.ts'
import type { Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { printable } from '../text-table.ts'
import { selectZtunnel } from './select-pod.ts'

const ADMIN_PORT = 15000

/** `ambit ztunnel-config log`: shows or changes the log levels of one ztunnel. */
export async function runZtunnelLog({ flags, positionals }: Invocation, context: Context): Promise<ExitCode> {
  const [pod] = positionals
  const node = flags.text('node')
  if (pod === undefined && node === undefined) {
    context.err('ztunnel pod name or --node must be set')
    return EXIT.usage
  }
  const namespace = istioNamespace(flags)
  const cluster = await context.cluster(flags)
  const chosen = selectZtunnel(await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace }), { pod, node })
  const { name } = chosen.metadata
  const port = flags.count('proxy-admin-port') ?? ADMIN_PORT
  const path = loggingPath(flags.text('level'), flags.has('reset'))
  const answer = await cluster.ask({ namespace, pod: name, port, path, method: 'POST' })
  if (answer.status !== 200) {
    throw new ClusterError(`${path} of ${name} answered ${answer.status}: ${printable(answer.body.trim())}`)
  }
  context.out(`${name}.${namespace}:`)
  context.out(printable(answer.body.trim()))
  return EXIT.ok
}

/** The admin endpoint for istioctl's way of writing levels: `access:debug,info` is `access=debug,info` there. */
export function loggingPath(level: string | undefined, reset: boolean): string {
  const query = new URLSearchParams()
  if (reset) query.set('reset', '')
  if (level !== undefined) query.set('level', level.replaceAll(':', '='))
  const text = query.toString()
  return text === '' ? '/logging' : `/logging?${text}`
}
