// What a pod without a certificate of the mesh can do to one that has it: nothing.
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { Follower } from '../support/follow.ts'
import { curlFrom, enrolled, inPod, podIps, ready } from '../support/mesh.ts'
import { descendants } from '../support/processes.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const INTRUDER = join(import.meta.dirname, '../support/intruder.ts')
const ZTUNNEL = 'packages/ztunnel/src/main.ts'
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning']
const SILENT_CONNECTIONS = 1000
const HOLD_LIMIT_MS = 30_000

let cluster: Cluster
let web = ''
let ztunnels: number[]

test.serial.before(async () => {
  cluster = await startCluster({ name: 'security' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('outside') +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('outside', 'stranger', 'ambit-1') +
      server('shop', 'web', 'ambit-2'),
  )
  await ready(cluster, 'people', 'outside', 'shop')
  await enrolled(cluster, 'people', 'shop')
  web = (await podIps(cluster, 'shop/web'))[0] ?? ''
  ztunnels = descendants(cluster.daemonPid, ZTUNNEL)
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

async function intrude(pod: string, ...words: readonly string[]): Promise<{ outcome: string; detail?: string }> {
  const { code, stderr, stdout } = await inPod(cluster, pod, ...NODE, INTRUDER, ...words)
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}`)
  return JSON.parse(stdout) as { outcome: string; detail?: string }
}

/** The mesh goes on serving, in the same processes. */
async function unharmed(): Promise<boolean> {
  const { code } = await curlFrom(cluster, 'people/alice', 'http://web.shop:8000/get')
  const now = descendants(cluster.daemonPid, ZTUNNEL)
  return code === 0 && now.length === ztunnels.length && now.every((pid) => ztunnels.includes(pid))
}

const selfSigned = `
cd /tmp && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj / \
  -keyout key.pem -out cert.pem -addext 'subjectAltName=critical,URI:spiffe://cluster.local/ns/people/sa/alice'`

test.serial('two ztunnels run', (t) => {
  t.true(ztunnels.length >= 2)
})

for (const pod of ['outside/stranger', 'people/alice']) {
  test.serial(`${pod}: a tunnel by hand without a certificate is refused`, async (t) => {
    const { detail, outcome } = await intrude(pod, 'tunnel', web, '15008')
    t.is(outcome, 'refused', detail)
    t.true(await unharmed())
  })

  test.serial(`${pod}: a tunnel by hand with a certificate of another authority is refused`, async (t) => {
    t.is((await inPod(cluster, pod, 'sh', '-c', selfSigned)).code, 0)
    const { detail, outcome } = await intrude(pod, 'tunnel', web, '15008', '/tmp/cert.pem', '/tmp/key.pem')
    t.is(outcome, 'refused', detail)
    t.true(await unharmed())
  })
}

test.serial('bytes that are no TLS end the connection they came on, and only that', async (t) => {
  const { detail, outcome } = await intrude('outside/stranger', 'garbage', web, '15008')
  t.is(outcome, 'refused', detail)
  t.true(await unharmed())
})

for (const port of ['15001', '15006']) {
  for (const pod of ['outside/stranger', 'people/alice']) {
    test.serial(`${pod}: port ${port} of another pod serves nobody who dials it`, async (t) => {
      t.not((await curlFrom(cluster, pod, `http://${web}:${port}/`)).code, 0)
      t.true(await unharmed())
    })
  }
}

test.serial('a pod that dials the ports of its own proxy starts no loop', async (t) => {
  for (const port of ['15001', '15006', '15008'])
    t.not((await curlFrom(cluster, 'people/alice', `http://127.0.0.1:${port}/`)).code, 0, port)
  const [own = ''] = await podIps(cluster, 'people/alice')
  for (const port of ['15001', '15006', '15008'])
    t.not((await curlFrom(cluster, 'people/alice', `http://${own}:${port}/`)).code, 0, port)
  t.true(await unharmed())
})

test.serial(`${SILENT_CONNECTIONS} connections that never finish their handshake hold up nobody`, async (t) => {
  const words = ['exec', '-i', '-n', 'outside', 'stranger', '--', ...NODE, INTRUDER]
  const env = cluster.env
  await using holder = new Follower('kubectl', [...words, 'hold', web, '15008', String(SILENT_CONNECTIONS)], env)
  await holder.until((text) => text.includes('holding'), HOLD_LIMIT_MS, 'the connections are open')
  const started = performance.now()
  t.true(await unharmed())
  t.log(`served in ${(performance.now() - started).toFixed(0)} ms meanwhile; ${holder.text.trim()}`)
})

test.serial('the private key of a workload is in no file and no log that a pod or a user can read', async (t) => {
  const dumps = await cluster.ambit('ztunnel-config', 'all', '-o', 'json')
  const logs = await cluster.must('logs', '-n', 'istio-system', '-l', 'app=ztunnel', '--tail=-1')
  t.is(dumps.code, 0, dumps.stderr)
  for (const text of [dumps.stdout, logs]) t.notRegex(text, /PRIVATE KEY/)
})
