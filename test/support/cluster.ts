import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxStatus } from '@ambit/sandbox'
import { type CommandOptions, type CommandResult, runCommand } from './command.ts'

const root = join(import.meta.dirname, '../..')

/** What carries ztunnel's bytes in this run, where the chart's default is not meant. */
const dataPath = process.env['AMBIT_TEST_DATA_PATH']

/** For `ambit install`. */
export const MESH_SETTINGS: readonly string[] =
  dataPath === undefined ? [] : ['--set', `values.ztunnel.dataPath=${dataPath}`]

/** A sandbox of its own, driven as a user would: by the command line tool and by kubectl. */
export interface Cluster extends AsyncDisposable {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  /** The process whose death ends the sandbox. */
  readonly daemonPid: number
  kubectl(...args: readonly string[]): Promise<CommandResult>
  /** As kubectl, but an exit code other than 0 is an error that shows what was printed. */
  must(...args: readonly string[]): Promise<string>
  apply(manifest: string): Promise<string>
  /** What kubectl's server-side dry run of the manifest says. */
  dryRun(manifest: string): Promise<string>
  ambit(...args: readonly string[]): Promise<CommandResult>
}

export interface ClusterOptions {
  readonly name: string
  readonly nodes?: number
  readonly mesh?: boolean
  /** Words before every `ambit`, such as those that make it run as another user; needs a `home` of that user. */
  readonly as?: { readonly program: string; readonly args: readonly string[] }
  /** AMBIT_HOME, which the caller removes; by default a fresh folder that goes with the cluster. */
  readonly home?: string
}

/** Boots a sandbox, and installs the mesh unless told not to; disposing takes it down. Fails loudly where a sandbox can't run. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'ambit-test-')))
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    AMBIT_HOME: home,
    HOME: home,
    KUBECONFIG: join(home, 'none'),
    NO_COLOR: '1',
  }
  const binary = join(root, 'node_modules/.bin/ambit')
  const ambit = (...args: readonly string[]): Promise<CommandResult> =>
    options.as === undefined
      ? runCommand(binary, args, { env })
      : runCommand(options.as.program, [...options.as.args, binary, ...args], { env })
  const flags = [
    '--name',
    options.name,
    '--nodes',
    String(options.nodes ?? 2),
    ...(options.mesh === false ? [] : ['--install', ...MESH_SETTINGS]),
  ]
  const up = await ambit('sandbox', 'up', ...flags)
  if (up.code !== 0) {
    await ambit('sandbox', 'down', '--name', options.name)
    throw new Error(`the sandbox did not start (exit ${up.code}):\n${up.stdout}\n${up.stderr}`)
  }
  env['KUBECONFIG'] = (await ambit('sandbox', 'kubeconfig', '--name', options.name)).stdout.trim()
  const kubectl = (args: readonly string[], more: CommandOptions = {}): Promise<CommandResult> =>
    runCommand('kubectl', args, { env, ...more })
  const must = async (args: readonly string[], more: CommandOptions = {}): Promise<string> => {
    const result = await kubectl(args, more)
    if (result.code !== 0) throw new Error(`${result.line}: exit ${result.code}\n${result.stdout}${result.stderr}`)
    return result.stdout
  }
  const running = sandboxStatus(options.name, home)
  if (running === undefined) throw new Error(`sandbox ${options.name} is not running right after its start`)
  return {
    name: options.name,
    env,
    daemonPid: running.pid,
    kubectl: (...args) => kubectl(args),
    must: (...args) => must(args),
    apply: (manifest) => must(['apply', '-f', '-'], { input: manifest }),
    dryRun: (manifest) =>
      must(['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'], { input: manifest }),
    ambit,
    async [Symbol.asyncDispose]() {
      await ambit('sandbox', 'down', '--name', options.name)
      if (options.home === undefined) await rm(home, { recursive: true, force: true })
    },
  }
}
