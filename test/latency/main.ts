// `npm run latency [-- --changes N] [-- --json FILE]`: how long after a `kubectl` command the data plane obeys.
import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { AMBIENT, client, namespace, policy, server } from '../cluster/manifests.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { align, quantile } from './report.ts'
import { WatchedPod } from './watched-pod.ts'

/** After so long without the effect the run is a failure, ms. */
const LIMIT_MS = 15_000
const CLIENT = { namespace: 'near', name: 'client' }
const TARGET = ['server.far', '8000'] as const

/** Milliseconds from a command to its effect. */
interface Delay {
  readonly fromStart: number
  /** Below zero when the effect was there before `kubectl` had ended. */
  readonly fromReturn: number
}

type Samples = Map<string, Delay[]>

const now = (): number => performance.timeOrigin + performance.now()

/** Runs a command and waits for its effects. */
async function change(
  samples: Samples,
  command: () => Promise<unknown>,
  effects: Readonly<Record<string, () => Promise<number>>>,
) {
  const started = now()
  await command()
  const returned = now()
  for (const [name, effect] of Object.entries(effects)) {
    const at = await effect()
    const delays = samples.get(name) ?? []
    delays.push({ fromStart: at - started, fromReturn: at - returned })
    samples.set(name, delays)
  }
}

async function labels(cluster: Cluster, changes: number, samples: Samples): Promise<void> {
  // A server that refuses plain text: what succeeds came through the mesh.
  await cluster.apply(strict('STRICT'))
  using pod = new WatchedPod(cluster, CLIENT, TARGET)
  await pod.when('fails', LIMIT_MS)
  for (let i = 0; i < changes; i++) {
    pod.forget()
    const label = (value: string): Promise<string> =>
      cluster.must('label', 'namespace', 'near', `istio.io/dataplane-mode${value}`)
    await change(samples, () => label('=ambient'), { 'label namespace: captured': () => pod.when('works', LIMIT_MS) })
    await annotated(cluster, true)
    pod.forget()
    await change(samples, () => label('-'), { 'unlabel namespace: released': () => pod.when('fails', LIMIT_MS) })
    await annotated(cluster, false)
  }
  await cluster.apply(strict('PERMISSIVE'))
}

/** The agent has finished with the pod, so that one change does not run into the next. */
async function annotated(cluster: Cluster, enrolled: boolean): Promise<void> {
  const path = 'jsonpath={.metadata.annotations.ambient\\.istio\\.io/redirection}'
  const deadline = now() + LIMIT_MS
  for (;;) {
    const value = await cluster.must('get', 'pod', '-n', CLIENT.namespace, CLIENT.name, '-o', path)
    if ((value === 'enabled') === enrolled) return
    if (now() > deadline) throw new Error(`the pod's annotation stays ${JSON.stringify(value)}`)
  }
}

async function policies(cluster: Cluster, changes: number, samples: Samples): Promise<void> {
  await cluster.must('label', 'namespace', 'near', 'istio.io/dataplane-mode=ambient')
  await annotated(cluster, true)
  const rules = [{ from: [{ source: { namespaces: ['near'] } }] }]
  using pod = new WatchedPod(cluster, CLIENT, [...TARGET, '--hold'])
  await pod.when('held', LIMIT_MS)
  for (let i = 0; i < changes; i++) {
    pod.forget()
    await change(samples, () => cluster.apply(policy('far', 'latency', 'server', 'DENY', rules)), {
      'apply DENY: connection cut': () => pod.when('cut', LIMIT_MS),
      'apply DENY: new ones refused': () => pod.when('fails', LIMIT_MS),
    })
    pod.forget()
    await change(samples, () => cluster.apply(policy('far', 'latency', 'server', 'ALLOW', rules)), {
      'apply ALLOW: new ones pass': () => pod.when('works', LIMIT_MS),
    })
    await pod.when('held', LIMIT_MS)
  }
}

function strict(mode: string): string {
  return JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace: 'far' },
    spec: { mtls: { mode } },
  })
}

function print(samples: Samples): void {
  const rows = [['ms', 'changes', 'from start: p50', 'p99', 'max', 'from return: p50', 'p99', 'max']]
  for (const [name, delays] of samples) {
    const figures = (values: readonly number[]): string[] =>
      [quantile(values, 0.5), quantile(values, 0.99), Math.max(...values)].map((ms) => ms.toFixed(0))
    rows.push([
      name,
      String(delays.length),
      ...figures(delays.map(({ fromStart }) => fromStart)),
      ...figures(delays.map(({ fromReturn }) => fromReturn)),
    ])
  }
  process.stdout.write(`${align(rows)}\n`)
}

const { values: options } = parseArgs({
  options: { changes: { type: 'string', default: '50' }, json: { type: 'string' } },
})
const changes = Number(options.changes)
const samples: Samples = new Map()
process.stdout.write(`load of the machine before: ${loadavg()[0]?.toFixed(1)}\n`)
await using cluster = await startCluster({ name: 'latency' })
await cluster.apply(
  namespace('near') +
    namespace('far', AMBIENT) +
    client('near', 'client', 'ambit-1') +
    server('far', 'server', 'ambit-2'),
)
for (const each of ['near', 'far'])
  await cluster.must('wait', 'pod', '-n', each, '--all', '--for=condition=Ready', '--timeout=60s')
await labels(cluster, changes, samples)
await policies(cluster, changes, samples)
print(samples)
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(Object.fromEntries(samples), undefined, 1))
