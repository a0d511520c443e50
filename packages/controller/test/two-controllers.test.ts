// Two real processes of the control plane on one API server: one writes, and when it is killed the other goes on.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KINDS, type KubeObject, watchObjects } from '@ambit/kube'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { startTestCluster, type TestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import * as make from './support/objects.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
/** A silent leader is believed for 15 s; the other asks every 2 s. */
const TAKEOVER_MS = 40_000

class Replica implements AsyncDisposable {
  readonly name: string
  readonly #process: ChildProcess
  #log = ''

  constructor(name: string, kubeconfig: string) {
    this.name = name
    const flags = ['--monitoringAddr=:0', '--httpAddr=:0', '--secureGRPCAddr=:0', '--httpsAddr=:0']
    const env = { ...process.env, KUBECONFIG: kubeconfig, POD_NAME: name, POD_NAMESPACE: 'istio-system' }
    const args = ['--disable-warning=ExperimentalWarning', MAIN, 'discovery', ...flags]
    this.#process = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#log += text))
  }

  get log(): string {
    return this.#log
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}

async function holderOf(cluster: TestCluster, name: string): Promise<string> {
  const lease = await cluster.client.get<KubeObject & { readonly spec?: { readonly holderIdentity?: string } }>(
    KINDS.lease,
    { namespace: 'istio-system', name },
  )
  return lease?.spec?.holderIdentity ?? ''
}

test('the replica that leads writes each status once, and when it is killed the other takes over', async (t) => {
  t.timeout(120_000)
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  const folder = await mkdtemp(join(tmpdir(), 'ambit-controllers-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const file of [
    'crds/istio/security.istio.io_authorizationpolicies.yaml',
    'manifests/00-namespace.yaml',
    'manifests/10-base.yaml',
  ])
    await cluster.applyManifest(file)
  await cluster.applyManifest('manifests/20-istiod.yaml')
  await cluster.put(make.namespace('demo'))
  const token = await cluster.apiToken({ namespace: 'istio-system', serviceAccount: 'istiod' })
  const kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, cluster.configFor(token).exportConfig())

  const end = new AbortController()
  t.teardown(() => end.abort())
  const writes = new Map<string, number>()
  const policies = watchObjects({ client: cluster.client, kind: KINDS.authorizationPolicy, signal: end.signal, logger })
  policies.subscribe({ update: ({ metadata }) => void writes.set(metadata.name, (writes.get(metadata.name) ?? 0) + 1) })
  await policies.synced
  const accepted = (name: string): boolean => {
    const policy = policies.get('demo', name) as { status?: { conditions?: readonly unknown[] } } | undefined
    return policy?.status?.conditions?.length === 1
  }

  await using one = new Replica('istiod-1', kubeconfig)
  await using two = new Replica('istiod-2', kubeconfig)
  const lease = 'istio-status-leader'
  const first = await eventually(async () => (await holderOf(cluster, lease)) || undefined, 30_000).catch(
    (error: unknown) => {
      throw new Error(`${one.log}\n${two.log}`, { cause: error })
    },
  )
  await eventually(async () => [one, two].every(({ log }) => log.includes('control plane is ready')), 30_000)
  const [leader, other] = first === one.name ? [one, two] : [two, one]
  await cluster.put(make.policy('demo/before', { rules: [{}] }))
  await eventually(async () => accepted('before'))

  await leader.kill()
  await cluster.put(make.policy('demo/between', { rules: [{}] }))
  await eventually(async () => accepted('between'), TAKEOVER_MS)
  t.is(await holderOf(cluster, lease), other.name)
  await cluster.put(make.policy('demo/after', { rules: [{}] }))
  await eventually(async () => accepted('after'))
  await eventually(
    async () => (await holderOf(cluster, 'istio-namespace-controller-election')) === other.name,
    TAKEOVER_MS,
  )
  await eventually(async () => (await holderOf(cluster, 'istio-ip-autoallocate')) === other.name, TAKEOVER_MS)
  t.deepEqual(Object.fromEntries(writes), { before: 1, between: 1, after: 1 })
})
