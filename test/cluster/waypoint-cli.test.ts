// What a person types to get, look at and lose waypoints: `ambit waypoint …` in both of its forms, on a real mesh.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type CommandResult, runCommand } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { namespace } from './manifests.ts'

const LIMIT_MS = 30_000
const ACCOUNT = 'bookinfo-productpage'

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'waypoint-cli', nodes: 1 })
  await cluster.apply(`${namespace('shop', { 'istio.io/dataplane-mode': 'ambient' })}
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${ACCOUNT}, namespace: default}
---
`)
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

/** A command line split at its spaces: exit code, lines of stdout, stderr. */
async function ambit(line: string): Promise<Pick<CommandResult, 'code' | 'stderr'> & { readonly out: string[] }> {
  const { code, stdout, stderr } = await cluster.ambit(...line.split(' '))
  return { code, out: stdout.split('\n').slice(0, -1), stderr }
}

/** Cells of a table's lines. */
function cells(lines: readonly string[]): string[][] {
  return lines.map((line) => line.split(/ {2,}/))
}

const gone = (label: string, where: string): Promise<string> =>
  eventually(
    () => cluster.must('get', 'deploy,svc,pod', '-n', where, '-l', label, '-o', 'name'),
    (names) => names === '',
    LIMIT_MS,
    `nothing of ${label} is left`,
  )

test.serial('apply --enroll-namespace --wait gives a namespace its waypoint, and says so', async (t) => {
  t.deepEqual(await ambit('waypoint list -n shop'), { code: 0, out: ['No waypoints found.'], stderr: '' })
  t.deepEqual(await ambit('waypoint apply -n shop --enroll-namespace --wait'), {
    code: 0,
    out: [
      '✅ waypoint shop/waypoint applied',
      '✅ waypoint shop/waypoint is ready!',
      '✅ namespace shop labeled with "istio.io/use-waypoint: waypoint"',
    ],
    stderr: '',
  })
  t.regex(
    await cluster.must('get', 'gtw', 'waypoint', '-n', 'shop'),
    /^waypoint +istio-waypoint +10\.96\.\d+\.\d+ +True +\S+$/m,
  )
  t.regex(
    await cluster.must('get', 'ns', 'shop', '-o', 'jsonpath={.metadata.labels}'),
    /"istio\.io\/use-waypoint":"waypoint"/,
  )
})

test.serial('list and status show it', async (t) => {
  t.deepEqual((await ambit('waypoint list -n shop')).out, [
    'NAME         REVISION     TRAFFIC TYPE     PROGRAMMED',
    'waypoint     default      none             True',
  ])
  t.deepEqual(cells((await ambit('x waypoint list -A')).out), [
    ['NAMESPACE', 'NAME', 'REVISION', 'TRAFFIC TYPE', 'PROGRAMMED'],
    ['shop', 'waypoint', 'default', 'none', 'True'],
  ])
  t.deepEqual(cells((await ambit('waypoint status -n shop')).out), [
    ['NAME', 'STATUS', 'TYPE', 'REASON', 'MESSAGE'],
    [
      'waypoint',
      'True',
      'Programmed',
      'Programmed',
      'Resource programmed, assigned to service(s) waypoint.shop.svc.cluster.local:15008',
    ],
  ])
})

test.serial('the mesh’s own views name the waypoint', async (t) => {
  const proxies = await eventually(
    () => ambit('proxy-status'),
    ({ out }) => out.some((line) => line.startsWith('waypoint-')),
    LIMIT_MS,
    'the waypoint is connected',
  )
  t.is(proxies.out.length, 3)
  t.true((await ambit('version')).out.some((line) => /^data plane version: \S+ \(2 proxies\)$/.test(line)))
  await eventually(
    () => ambit('ztunnel-config services -n shop'),
    ({ out }) => out.some((line) => /^shop +web +\S+ +waypoint +0\/0$/.test(line)),
    LIMIT_MS,
    'ztunnel resolves the waypoint of the service to its name',
  )
  t.regex((await ambit('zc svc -n shop')).out.join('\n'), /^shop +waypoint +\S+ +None +1\/1$/m)
})

test.serial('generate makes what kubectl applies', async (t) => {
  const { out } = await ambit('waypoint generate -n shop --name second --for workload')
  const applied = await runCommand('kubectl', ['apply', '-f', '-'], { env: cluster.env, input: out.join('\n') })
  t.is(applied.stdout, 'gateway.gateway.networking.k8s.io/second created\n', applied.stderr)
  await cluster.must('wait', 'gtw/second', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
  t.deepEqual(cells((await ambit('waypoint list -n shop')).out)[1], ['second', 'default', 'workload', 'True'])
})

test.serial(
  'exit codes: what is so already is no failure, what can not be is 1, what is not understood 2',
  async (t) => {
    const again = await ambit('waypoint apply -n shop --name second --enroll-namespace')
    t.deepEqual([again.code, again.out.length], [0, 1])
    t.regex(again.out[0] ?? '', /^⚠️ Warning: namespace \(shop\) already has an enrolled Waypoint\./)
    const nowhere = await ambit('waypoint apply -n nowhere')
    t.deepEqual(nowhere, { code: 1, out: [], stderr: 'Error: namespace: nowhere not found\n' })
    t.is((await ambit('waypoint delete')).code, 1)
    t.is((await ambit('waypoint apply --for everything')).code, 1)
    t.is((await ambit('waypoint apply --nonsense')).code, 2)
    // No control plane of this mesh looks at that revision.
    const late = await ambit('waypoint apply -n shop --name late -r nobody --wait --waypoint-timeout 2s')
    t.is(late.code, 1)
    t.regex(late.stderr, /^Error: timed out while waiting for waypoint\tshop\/late$/m)
    t.deepEqual((await ambit('waypoint delete -n shop -r nobody')).out, ['waypoint shop/late deleted'])
  },
)

test.serial(
  'delete takes all waypoints and what they were made of, and says what becomes of the traffic',
  async (t) => {
    t.deepEqual((await ambit('waypoint delete nothing -n shop')).out, ['waypoint shop/nothing not found'])
    const deleted = await ambit('waypoint delete --all -n shop')
    t.deepEqual([deleted.code, deleted.out], [0, ['waypoint shop/second deleted', 'waypoint shop/waypoint deleted']])
    t.regex(deleted.stderr, /^! namespace shop still uses waypoint waypoint: its traffic goes direct now/)
    for (const name of ['waypoint', 'second']) {
      t.is(await gone(`gateway.networking.k8s.io/gateway-name=${name}`, 'shop'), '')
    }
  },
)

test.serial('the form of Istio 1.18: a waypoint for a service account', async (t) => {
  t.deepEqual(await ambit(`x waypoint apply --service-account ${ACCOUNT}`), {
    code: 0,
    out: [`waypoint default/${ACCOUNT} applied`],
    stderr: '',
  })
  await cluster.must('wait', `gtw/${ACCOUNT}`, '--for=condition=Programmed', '--timeout=60s')
  const message = 'jsonpath={.status.conditions[?(@.type=="Programmed")].message}'
  t.is(
    await cluster.must('get', 'gtw', ACCOUNT, '-o', message),
    `Resource programmed, assigned to service(s) ${ACCOUNT}-istio-waypoint.default.svc.cluster.local:15008`,
  )
  const pod = await cluster.must('get', 'pods', '-l', `istio.io/gateway-name=${ACCOUNT}`, '-o', 'name')
  t.regex(pod, new RegExp(`^pod/${ACCOUNT}-istio-waypoint-\\S+\\n$`))
  t.deepEqual(cells((await ambit('x waypoint list')).out), [
    ['NAME', 'SERVICE ACCOUNT', 'REVISION', 'PROGRAMMED'],
    [ACCOUNT, ACCOUNT, 'default', 'True'],
  ])
  t.deepEqual((await ambit(`x waypoint delete --service-account ${ACCOUNT}`)).out, [
    `waypoint default/${ACCOUNT} deleted`,
  ])
  t.is(await gone(`istio.io/gateway-name=${ACCOUNT}`, 'default'), '')
})
