import { ROOT_NAMESPACE } from '@ambit/api'
import type { Context } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { install } from '../install/run-install.ts'
import { READINESS_TIMEOUT_S } from '../limits.ts'
import { textTable } from '../text-table.ts'

const DEFAULT_NAME = 'ambit'

/** `ambit sandbox up`: a cluster on this machine, with the mesh in it unless --no-mesh. */
export async function runSandboxUp(flags: Flags, context: Context): Promise<ExitCode> {
  const name = nameOf(flags)
  const started = context.now()
  const operations = await context.sandbox()
  const sandbox = await operations.up({
    name,
    nodes: flags.count('nodes'),
    onProgress: (text) => context.out(`  ${text} (${seconds(context.now() - started)})`),
  })
  if (!flags.has('no-mesh')) {
    const cluster = await context.clusterAt(sandbox.kubeconfigPath)
    const options = { namespace: ROOT_NAMESPACE, version: context.version }
    await install(cluster, context, options, { dryRun: false, timeoutMs: READINESS_TIMEOUT_S * 1000 })
  }
  context.out('')
  const nodes = `${sandbox.nodes} ${sandbox.nodes === 1 ? 'node' : 'nodes'}`
  context.out(`Sandbox "${name}" is up: ${nodes}, ${sandbox.apiUrl}, after ${seconds(context.now() - started)}.`)
  context.out('')
  context.out(`  export KUBECONFIG=${sandbox.kubeconfigPath}`)
  context.out('  kubectl get pods -A')
  if (!flags.has('foreground')) {
    context.out(`  ambit sandbox down${name === DEFAULT_NAME ? '' : ` --name ${name}`}`)
    return EXIT.ok
  }
  context.out('')
  context.out('Ctrl-C ends it.')
  await context.interrupted()
  await operations.down(name)
  context.out(`Sandbox "${name}" is gone.`)
  return EXIT.ok
}

/** `ambit sandbox down`. */
export async function runSandboxDown(flags: Flags, context: Context): Promise<ExitCode> {
  const name = nameOf(flags)
  const was = await (await context.sandbox()).down(name)
  context.out(was ? `Sandbox "${name}" is gone.` : `There is no sandbox "${name}".`)
  return EXIT.ok
}

/** `ambit sandbox status`. */
export async function runSandboxStatus(flags: Flags, context: Context): Promise<ExitCode> {
  const sandboxes = (await context.sandbox()).status(flags.text('name'))
  if (sandboxes.length === 0) {
    context.out('No sandbox. Start one: ambit sandbox up')
    return flags.has('name') ? EXIT.failure : EXIT.ok
  }
  const rows = sandboxes.map((sandbox) => [
    sandbox.name,
    String(sandbox.nodes),
    sandbox.apiUrl,
    sandbox.startedAt,
    sandbox.kubeconfigPath,
  ])
  for (const line of textTable([['NAME', 'NODES', 'API', 'STARTED', 'KUBECONFIG'], ...rows], 3)) context.out(line)
  return EXIT.ok
}

/** `ambit sandbox kubeconfig`: its path, or with --print its content. */
export async function runSandboxKubeconfig(flags: Flags, context: Context): Promise<ExitCode> {
  const path = (await context.sandbox()).kubeconfigOf(nameOf(flags))
  context.out(flags.has('print') ? (await context.readFile(path)).trimEnd() : path)
  return EXIT.ok
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function nameOf(flags: Flags): string {
  return flags.text('name') ?? DEFAULT_NAME
}
