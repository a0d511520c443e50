import type { Context } from '../context.types.ts'
import { SettingError } from '../errors.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { installAmbient } from '../install/run-install.ts'
import { textTable } from '../text-table.ts'
import type { SandboxOperations, StartedSandbox } from './sandbox-operations.types.ts'
import { shellWord } from './shell-word.ts'

const DEFAULT_NAME = 'ambit'

/** `ambit sandbox up`: a bare cluster on this machine; with --install, the mesh in it as well. Interrupted, it leaves nothing. */
export async function runSandboxUp(flags: Flags, context: Context): Promise<ExitCode> {
  if (flags.list('set').length > 0 && !flags.has('install'))
    throw new SettingError('--set is of what --install installs; without it nothing is')
  const name = nameOf(flags)
  const operations = await context.sandbox()
  const finished = new AbortController()
  const giveUp = new AbortController()
  const interrupted = context.interrupted(finished.signal).then(() => {
    giveUp.abort()
    return 'interrupted' as const
  })
  try {
    const started = context.now()
    const up = operations.up({
      name,
      nodes: flags.count('nodes'),
      data: flags.text('data'),
      onProgress: (text) => context.out(`  ${text} (${seconds(context.now() - started)})`),
      signal: giveUp.signal,
    })
    if ((await Promise.race([completeSandbox(up, flags, context, giveUp.signal), interrupted])) === 'interrupted') {
      await takeDownAgain(name, up, operations, context)
      return EXIT.interrupted
    }
    const sandbox = await up
    sayWhatIsUp(sandbox, context.now() - started, flags.has('install'), context)
    if (!flags.has('foreground')) {
      context.out(`  ambit sandbox down${name === DEFAULT_NAME ? '' : ` --name ${name}`}`)
      return EXIT.ok
    }
    context.out('')
    context.out('Ctrl-C ends it.')
    await interrupted
    await operations.down(name)
    context.out(`Sandbox "${name}" is gone.`)
    return EXIT.ok
  } finally {
    finished.abort()
  }
}

/** With --install: what `ambit install -y` does, once the sandbox is up. */
async function completeSandbox(
  up: Promise<StartedSandbox>,
  flags: Flags,
  context: Context,
  signal: AbortSignal,
): Promise<void> {
  const { kubeconfigPath, name } = await up
  if (!flags.has('install')) return
  const cluster = await context.clusterAt(kubeconfigPath)
  const out = (line: string): void => (signal.aborted ? undefined : context.out(line))
  try {
    await installAmbient(cluster, { ...context, out }, flags.list('set'))
  } catch (error) {
    const end = `ambit sandbox down${name === DEFAULT_NAME ? '' : ` --name ${name}`}`
    if (!signal.aborted)
      context.err(
        `Sandbox "${name}" runs, but the mesh in it is not whole. KUBECONFIG=${kubeconfigPath}; to end it: ${end}`,
      )
    throw error
  }
}

async function takeDownAgain(
  name: string,
  up: Promise<StartedSandbox>,
  operations: SandboxOperations,
  context: Context,
): Promise<void> {
  context.err('Interrupted; tidying up.')
  const sandbox = await up.catch(() => undefined)
  if (sandbox?.wasRunning === true) {
    context.err(`Sandbox "${name}" was running before and runs on. If the mesh in it is not whole: ambit install -y`)
    return
  }
  if (sandbox !== undefined) await operations.down(name)
  context.err(sandbox === undefined ? 'The start was given up; nothing of it is left.' : `Sandbox "${name}" is gone.`)
}

function sayWhatIsUp(sandbox: StartedSandbox, tookMs: number, hasMesh: boolean, context: Context): void {
  const nodes = `${sandbox.nodes} ${sandbox.nodes === 1 ? 'node' : 'nodes'}`
  context.out('')
  context.out(`Sandbox "${sandbox.name}" is up: ${nodes}, ${sandbox.apiUrl}, after ${seconds(tookMs)}.`)
  context.out('')
  context.out(`  export KUBECONFIG=${shellWord(sandbox.kubeconfigPath)}`)
  if (!hasMesh) context.out('  ambit install --set profile=ambient -y')
  context.out('  kubectl get pods -A')
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
