// Istio's own samples, applied unchanged to a sandbox with the mesh.
import { join } from 'node:path'
import test from 'ava'
import { AMBIENT, namespace } from '../cluster/manifests.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import type { CommandResult } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { ztunnelLog } from '../support/mesh.ts'

const SAMPLES = join(process.env['AMBIT_SHARED'] ?? join(import.meta.dirname, '../../../shared'), 'data/samples')
const FILES = [
  'curl/curl.yaml',
  'sleep/sleep.yaml',
  'httpbin/httpbin.yaml',
  'helloworld/helloworld.yaml',
  'bookinfo/platform/kube/bookinfo.yaml',
]

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'samples' })
  await cluster.apply(namespace('samples', AMBIENT))
  await cluster.must('apply', '-n', 'samples', ...FILES.flatMap((file) => ['-f', join(SAMPLES, file)]))
  await cluster.must('wait', 'deploy', '-n', 'samples', '--all', '--for=condition=Available', '--timeout=60s')
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

function curl(deployment: string, ...args: readonly string[]): Promise<CommandResult> {
  return cluster.kubectl('exec', '-n', 'samples', `deploy/${deployment}`, '--', 'curl', '-sS', '-m', '10', ...args)
}

for (const deployment of ['curl', 'sleep']) {
  test.serial(`${deployment} reaches httpbin through the mesh`, async (t) => {
    const answer = await curl(deployment, 'httpbin:8000/headers')
    t.is(answer.code, 0, answer.stderr)
    t.deepEqual((JSON.parse(answer.stdout) as { headers: { Host: string[] } }).headers.Host, ['httpbin:8000'])
    const status = await curl(deployment, '-o', '/dev/null', '-w', '%{http_code}', 'httpbin:8000/status/418')
    t.is(status.stdout, '418')
    const log = await ztunnelLog(cluster)
    t.regex(log, new RegExp(`src\\.identity="spiffe://cluster\\.local/ns/samples/sa/${deployment}"`))
  })
}

test.serial('helloworld answers in both versions', async (t) => {
  const seen = new Set<string>()
  for (let asked = 0; asked < 40 && seen.size < 2; asked++) {
    const { code, stderr, stdout } = await curl('curl', 'helloworld:5000/hello')
    t.is(code, 0, stderr)
    seen.add(/version: (v\d)/.exec(stdout)?.[1] ?? stdout)
  }
  t.deepEqual([...seen].sort(), ['v1', 'v2'])
})

test.serial('the product page gathers what the other services of bookinfo say', async (t) => {
  const answer = await curl('curl', 'productpage:9080/productpage')
  t.is(answer.code, 0, answer.stderr)
  t.regex(answer.stdout, /<title>Simple Bookstore App<\/title>/)
  // It keeps its own connections open for a while, and the log tells of those that have ended.
  const asked = 'src.identity="spiffe://cluster.local/ns/samples/sa/bookinfo-productpage"'
  await eventually(
    () => ztunnelLog(cluster),
    (log) => log.includes(asked),
    20_000,
    'the calls behind it are in the log',
  )
})
