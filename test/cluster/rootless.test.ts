// The whole mesh without any privilege on the machine: as `nobody` when the tests run as root, else as whoever runs them.
import { chmod, chown, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import type { CommandResult } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { curlFrom, enrolled, podIps, ready, ztunnelLog } from '../support/mesh.ts'
import { AMBIENT, client, namespace, policy, server } from './manifests.ts'

const NOBODY = 65534
const URL = 'http://web.shop:8000'

let home: string
let cluster: Cluster

test.serial.before(async () => {
  home = await mkdtemp(join(tmpdir(), 'ambit-rootless-'))
  await chmod(home, 0o700)
  const isRoot = process.getuid?.() === 0
  if (isRoot) await chown(home, NOBODY, NOBODY)
  const ids = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups']
  const as = { program: 'setpriv', args: ids }
  cluster = await startCluster({ name: 'rootless', home, ...(isRoot ? { as } : {}) })
  await cluster.apply(
    namespace('people') +
      namespace('shop') +
      client('people', 'alice', 'ambit-1') +
      client('people', 'mallory', 'ambit-1') +
      server('shop', 'web', 'ambit-2', { dualStack: true }),
  )
  await ready(cluster, 'people', 'shop')
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

test.serial('the sandbox runs as somebody who is not root', async (t) => {
  t.not((await stat(`/proc/${cluster.daemonPid}`)).uid, 0)
})

test.serial(
  'a load balancer is reachable on the machine, where need be under another port, which is said',
  async (t) => {
    await cluster.apply(`
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`)
    const address = '{.status.loadBalancer.ingress[0].ip}'
    await cluster.must('wait', 'service', '-n', 'shop', 'front', `--for=jsonpath=${address}`, '--timeout=10s')
    const note = '{.metadata.annotations.sandbox\\.ambit\\.dev/load-balancer-ports}'
    const seen = await cluster.must('get', 'service', '-n', 'shop', 'front', '-o', `jsonpath=${address} ${note}`)
    const [ip = '', mapped = ''] = seen.trim().split(' ')
    const first = Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
    t.is(mapped, first > 80 ? '80=8080' : '')
    t.is((await fetch(`http://${ip}:${first > 80 ? 8080 : 80}/get`)).status, 200)
  },
)

test.serial('a labelled namespace is captured, and the source address survives in both families', async (t) => {
  await cluster.must('label', 'namespace', 'people', 'shop', ...Object.entries(AMBIENT).map((pair) => pair.join('=')))
  await enrolled(cluster, 'people', 'shop')
  const ips = await podIps(cluster, 'people/alice')
  for (const [index, flag] of ['-4', '-6'].entries()) {
    const answer = await curlFrom(cluster, 'people/alice', flag, `${URL}/ip`)
    t.is(answer.code, 0, answer.stderr)
    t.deepEqual(JSON.parse(answer.stdout), { origin: ips[index] })
  }
  const log = await ztunnelLog(cluster)
  t.regex(
    log,
    /src\.identity="spiffe:\/\/cluster\.local\/ns\/people\/sa\/alice".*direction="inbound"|direction="inbound".*src\.identity="spiffe:\/\/cluster\.local\/ns\/people\/sa\/alice"/,
  )
})

test.serial('a policy by identity holds', async (t) => {
  await cluster.apply(
    policy('shop', 'only-alice', 'web', 'ALLOW', [
      { from: [{ source: { principals: ['cluster.local/ns/people/sa/alice'] } }] },
    ]),
  )
  await cluster.must(
    'wait',
    'authorizationpolicy',
    '-n',
    'shop',
    'only-alice',
    '--for=condition=ZtunnelAccepted',
    '--timeout=10s',
  )
  // Accepted means that the controller took it; the proxies have it a few milliseconds later (`npm run latency`).
  const refused = (): Promise<CommandResult> => curlFrom(cluster, 'people/mallory', `${URL}/get`)
  await eventually(refused, ({ code }) => code === 56, 1000, 'mallory is refused')
  t.is((await curlFrom(cluster, 'people/alice', `${URL}/get`)).code, 0)
})
