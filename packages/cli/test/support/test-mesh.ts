import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { PodRuntime } from '../../../sandbox/src/apiserver/contract.types.ts'
import { startApi, type TestApi } from '../../../sandbox/test/apiserver/harness.ts'
import { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import type { Context } from '../../src/context.types.ts'
import { readGatewayApi } from '../../src/install/manifest-set.ts'
import { runCommandLine } from '../../src/run-command-line.ts'

const DEPLOY = fileURLToPath(new URL('../../../../deploy', import.meta.url))
export const FILES: Pick<Context, 'readFile' | 'listFolder'> = {
  readFile: (path) => readFile(path, 'utf8'),
  listFolder: (path) => readdir(path),
}

/** When commands are run, ms since 1970. */
export const START_MS = 1_000_000

export interface CommandOutput {
  readonly code: number
  /** Lines of stdout. */
  readonly out: readonly string[]
  readonly err: readonly string[]
}

export interface MoreContext {
  /** Ctrl-C, when it resolves. */
  readonly interruption?: Promise<void>
  /** A terminal to draw on. */
  readonly screen?: Context['screen']
  /** Told what goes to stdout as it goes there. */
  readonly onOut?: (text: string) => void
  /** Somebody else's. */
  readonly kubeconfig?: string
}

/** A busy machine may take longer than people wait. */
export const PATIENCE_MS = 50_000

const NEVER = new Promise<never>(() => undefined)

/** A real API server with Gateway API in it, and the command line for it. */
export interface TestMesh extends AsyncDisposable {
  readonly api: TestApi
  /** Time stands still but for what commands sleep; `whileAsleep` is what happens in the cluster meanwhile. */
  ambit(line: string, whileAsleep?: () => Promise<unknown>, more?: MoreContext): Promise<CommandOutput>
  must(...args: readonly string[]): Promise<string>
  /** Writes a Gateway's status as its controller would. */
  program(namespace: string, name: string, status: 'True' | 'False', addresses?: readonly string[]): Promise<unknown>
}

export async function startTestMesh(
  options: { readonly gatewayApi?: boolean; readonly runtime?: PodRuntime } = {},
): Promise<TestMesh> {
  const { runtime } = options
  const api = await startApi(runtime === undefined ? {} : { runtime })
  const { KUBECONFIG: path } = await api.environment()
  const cluster = KubeCluster.fromKubeConfig({ path, timeoutMs: PATIENCE_MS })
  if (options.gatewayApi !== false) {
    for (const object of await readGatewayApi(FILES, DEPLOY)) await cluster.apply(object, { dryRun: false })
  }
  const must = async (...args: readonly string[]): Promise<string> => {
    const result = await api.kubectl(args)
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`)
    return result.stdout
  }
  return {
    api,
    must,
    async ambit(line, whileAsleep, { interruption = NEVER, screen, kubeconfig, onOut } = {}) {
      const out: string[] = []
      const err: string[] = []
      let now = START_MS
      const context: Context = {
        ...FILES,
        out: (text) => {
          out.push(...text.split('\n'))
          onOut?.(text)
        },
        err: (text) => err.push(text),
        colour: false,
        version: '9.9.9',
        deployFolder: DEPLOY,
        now: () => now,
        sleep: async (ms) => {
          now += ms
          await whileAsleep?.()
        },
        writeFile: () => Promise.reject(new Error('nothing is written in these tests')),
        interrupted: () => interruption,
        confirm: () => Promise.resolve(false),
        cluster: () =>
          Promise.resolve(
            kubeconfig === undefined
              ? cluster
              : KubeCluster.fromKubeConfig({ path: kubeconfig, timeoutMs: PATIENCE_MS }),
          ),
        ...(screen === undefined ? {} : { screen }),
        clusterAt: () => Promise.resolve(cluster),
        sandbox: () => Promise.reject(new Error('no sandbox in these tests')),
      }
      const code = await runCommandLine(line.split(' '), context)
      return { code, out, err }
    },
    program(namespace, name, status, addresses = []) {
      const condition = {
        type: 'Programmed',
        status,
        reason: status === 'True' ? 'Programmed' : 'AddressNotAssigned',
        message: status === 'True' ? 'Resource programmed' : 'Failed to assign',
        lastTransitionTime: '2026-11-21T00:00:00Z',
      }
      const patch = {
        status: { conditions: [condition], addresses: addresses.map((value) => ({ type: 'IPAddress', value })) },
      }
      const what = ['gateway', name, '-n', namespace, '--subresource', 'status', '--type', 'merge']
      return must('patch', ...what, '-p', JSON.stringify(patch))
    },
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}
