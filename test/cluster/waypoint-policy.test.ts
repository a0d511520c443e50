// Policy on requests, seen from outside: who is answered what, how soon, and what the waypoint tells of it.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { wasReset } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, podIps, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { applyWaypoint, BY_WAYPOINT, fetchFrom, setMesh, waypointIps, waypointLog } from '../support/waypoints.ts'
import { AMBIENT, client, namespace, policy, server } from './manifests.ts'

/** From kubectl's return to the effect. */
const EFFECT_LIMIT_MS = 1000
const START_LIMIT_MS = 10_000
const URL = 'http://web.shop:8000'
const ALICE = 'cluster.local/ns/people/sa/alice'
const WAYPOINT = 'cluster.local/ns/shop/sa/waypoint'

let cluster: Cluster
let alice: PodShell
let mallory: PodShell

test.serial.before(async () => {
  cluster = await startCluster({ name: 'waypoint-policy' })
  await setMesh(cluster, 'accessLogFile: /dev/stdout')
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('people', 'mallory', 'ambit-1') +
      server('shop', 'web', 'ambit-2'),
  )
  await applyWaypoint(cluster, '-n', 'shop', '--enroll-namespace')
  await ready(cluster, 'people', 'shop')
  await enrolled(cluster, 'people')
  alice = new PodShell(cluster, 'people/alice')
  mallory = new PodShell(cluster, 'people/mallory')
  await eventually(
    () => fetchFrom(alice, `${URL}/get`),
    ({ head }) => BY_WAYPOINT.test(head),
    START_LIMIT_MS,
    'requests go through the waypoint',
  )
})

test.serial.after.always(async () => {
  await alice?.[Symbol.asyncDispose]()
  await mallory?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

test.serial('an enrolled service is bound to the waypoint, and its requests go through it', async (t) => {
  const bound = 'jsonpath={.status.conditions[?(@.type=="istio.io/WaypointBound")].message}'
  t.regex(
    await cluster.must('get', 'svc', '-n', 'shop', 'web', '-o', bound),
    /^Successfully attached to waypoint shop\/waypoint/,
  )
  t.regex((await cluster.ambit('zc', 'services', '-n', 'shop')).stdout, /^shop +web +\S+ +waypoint +1\/1$/m)
  const { status, head, body } = await fetchFrom(alice, `${URL}/get`)
  t.is(status, 200)
  t.regex(head, BY_WAYPOINT)
  t.regex(head, /^x-envoy-upstream-service-time: \d+\r?$/im)
  // The server's peer is the waypoint; no header says who asked, unless that is switched on.
  t.true(body.includes(`"origin": "${(await waypointIps(cluster, 'shop'))[0]}"`), body)
  t.false(/forwarded-for|client-cert/i.test(body), body)
})

type Rows = Readonly<Record<string, number>>
const people = (): Readonly<Record<string, PodShell>> => ({ alice, mallory })

/** Rows are `who METHOD path [header: value]`. */
async function statuses(rows: readonly string[]): Promise<Rows> {
  const found: Record<string, number> = {}
  for (const row of rows) {
    const [, who = '', method = '', path = '', header] = /^(\S+) (\S+) (\S+)(?: (.+))?$/.exec(row) ?? []
    const shell = people()[who]
    if (shell === undefined) throw new Error(`nobody is called ${who}`)
    const flags = `--path-as-is ${method === 'HEAD' ? '-I' : `-X ${method}`} ${header === undefined ? '' : `-H '${header}'`}`
    const text = await shell.run(`curl -s -o /dev/null --max-time 5 -w '%{http_code}' ${flags} '${URL}${path}'`)
    found[row] = Number(text)
  }
  return found
}

async function settlesAt(expected: Rows, what: string): Promise<void> {
  const wanted = JSON.stringify(expected)
  const ask = (): Promise<Rows> => statuses(Object.keys(expected))
  await eventually(ask, (seen) => JSON.stringify(seen) === wanted, EFFECT_LIMIT_MS, what)
}

interface Written {
  readonly action: 'ALLOW' | 'DENY'
  readonly rules: readonly unknown[]
  readonly targetRefs?: unknown
}

function written(name: string, { action, rules, targetRefs = TARGET }: Written): unknown {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { targetRefs, action, rules },
  }
}
const TARGET = [{ group: '', kind: 'Service', name: 'web' }]
const list = (policies: readonly Written[]): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items: policies.map((one, i) => written(`row-${i}`, one)) })

/** Every row has a request that is denied, so a policy without effect is noticed. */
const answers = test.macro({
  async exec(t, policies: readonly Written[], expected: Rows) {
    await cluster.apply(list(policies))
    try {
      await settlesAt(expected, 'the policy takes effect')
    } finally {
      await cluster.must('delete', 'authorizationpolicy', '-n', 'shop', '--all')
    }
    await settlesAt(
      Object.fromEntries(Object.keys(expected).map((row) => [row, 200])),
      'without the policy all is allowed again',
    )
    t.pass()
  },
  title: (title = '') => title,
})

const to = (operation: unknown): unknown => ({ to: [{ operation }] })

test.serial('methods', answers, [{ action: 'ALLOW', rules: [to({ methods: ['GET', 'HEAD'] })] }], {
  'alice GET /get': 200,
  'alice HEAD /get': 200,
  'alice DELETE /delete': 403,
  'mallory POST /post': 403,
})
test.serial(
  'a path, however it is written',
  answers,
  [{ action: 'DENY', rules: [to({ paths: ['/anything/admin*'] })] }],
  {
    'alice GET /anything/admin': 403,
    'alice GET /anything/admin?x=1': 403,
    'alice GET /anything/x/../admin': 403,
    'alice GET /anything/./admin/users': 403,
    'alice GET /anything/x/%2e%2e/admin': 403,
    'alice GET /anything/x/.%2E/admin': 403,
    'alice GET /anything\\admin': 403,
    'alice GET /anything/other': 200,
    'alice GET /anything/other?path=/anything/admin': 200,
  },
)
test.serial(
  'a path that is allowed lets no other in',
  answers,
  [{ action: 'ALLOW', rules: [to({ paths: ['/anything/open/*', '/get'] })] }],
  {
    'alice GET /anything/open/x': 200,
    'alice GET /get': 200,
    'alice GET /anything/open/../secret': 403,
    'alice GET /anything/open/%2e%2e/secret': 403,
    'alice GET /anything/open': 403,
    'alice GET /headers': 403,
  },
)
test.serial(
  'path templates',
  answers,
  [{ action: 'DENY', rules: [to({ paths: ['/anything/{*}/keys', '/anything/all/{**}'] })] }],
  {
    'alice GET /anything/bob/keys': 403,
    'alice GET /anything/bob/x/keys': 200,
    'alice GET /anything/all/a/b': 403,
  },
)
test.serial(
  'a header',
  answers,
  [{ action: 'ALLOW', rules: [{ when: [{ key: 'request.headers[x-team]', values: ['red', 'blue-*'] }] }] }],
  {
    'alice GET /get x-team: red': 200,
    'alice GET /get x-team: blue-7': 200,
    'alice GET /get x-team: green': 403,
    'alice GET /get': 403,
  },
)
test.serial(
  'negations',
  answers,
  [
    { action: 'DENY', rules: [to({ notMethods: ['GET'] })] },
    { action: 'DENY', rules: [to({ paths: ['/anything/*'], notPaths: ['/anything/public*'] })] },
    {
      action: 'DENY',
      rules: [
        { when: [{ key: 'request.headers[x-from]', notValues: ['us'] }], ...Object(to({ paths: ['/headers'] })) },
      ],
    },
  ],
  {
    'alice GET /get': 200,
    'alice DELETE /delete': 403,
    'alice GET /anything/private': 403,
    'alice GET /anything/public/x': 200,
    'alice GET /headers x-from: them': 403,
    'alice GET /headers x-from: us': 200,
  },
)
test.serial('principals', answers, [{ action: 'ALLOW', rules: [{ from: [{ source: { principals: [ALICE] } }] }] }], {
  'alice GET /get': 200,
  'mallory GET /get': 403,
})
test.serial(
  'a policy for the Gateway is for all behind it',
  answers,
  [
    {
      targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' }],
      action: 'DENY',
      rules: [{ from: [{ source: { notServiceAccounts: ['people/alice'] } }] }],
    },
  ],
  { 'alice GET /get': 200, 'mallory GET /get': 403 },
)

test.serial('a denial is exactly what Istio answers; log and metric tell of it', async (t) => {
  await cluster.apply(list([{ action: 'ALLOW', rules: [to({ methods: ['GET'] })] }]))
  await settlesAt({ 'alice GET /get': 200, 'alice PUT /put': 403 }, 'the policy takes effect')
  const { status, head, body } = await fetchFrom(alice, '-X', 'DELETE', '-A', 'tester', `${URL}/delete?x=1`)
  t.deepEqual([status, body], [403, 'RBAC: access denied'])
  t.regex(head, /^content-length: 19\r?$/im)
  t.regex(head, /^content-type: text\/plain\r?$/im)
  await cluster.must('wait', 'ap', '-n', 'shop', 'row-0', '--for=condition=WaypointAccepted', '--timeout=10s')
  const line = await eventually(
    async () => /^\[.*\/delete\?x=1.*$/m.exec(await waypointLog(cluster, 'shop'))?.[0] ?? '',
    (found) => found !== '',
    START_LIMIT_MS,
    'the access log',
  )
  const ip = (await podIps(cluster, 'people/alice'))[0]
  const vip = await cluster.must('get', 'svc', '-n', 'shop', 'web', '-o', 'jsonpath={.spec.clusterIP}')
  t.regex(
    line,
    new RegExp(
      String.raw`^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] "DELETE /delete\?x=1 HTTP/1\.1" 403 - rbac_access_denied_matched_policy\[none\] - "-" 0 19 \d+ - ` +
        String.raw`"-" "tester" "[0-9a-f-]{36}" "web\.shop:8000" "-" \S+ - ${vip}:8000 ${ip}:\d+ - \S+$`,
    ),
  )
  const metrics = await alice.run(`curl -s http://${(await waypointIps(cluster, 'shop'))[0]}:15020/stats/prometheus`)
  const labels = (code: number, destination: string): string =>
    `istio_requests_total{reporter="waypoint",source_workload="alice",source_canonical_service="alice",source_canonical_revision="latest",source_workload_namespace="people",source_principal="spiffe://${ALICE}",source_app="alice",source_version="latest",source_cluster="Kubernetes",${destination},request_protocol="http",response_code="${code}",grpc_response_status="",response_flags="-",connection_security_policy="mutual_tls"} `
  const web =
    'destination_workload="web",destination_workload_namespace="shop",destination_principal="spiffe://cluster.local/ns/shop/sa/web",destination_app="web",destination_version="latest",destination_service="web.shop.svc.cluster.local",destination_canonical_service="web",destination_canonical_revision="latest",destination_service_name="web",destination_service_namespace="shop",destination_cluster="Kubernetes"'
  t.true(metrics.includes(labels(200, web)), metrics.slice(0, 2000))
  t.regex(
    metrics,
    /^istio_requests_total\{reporter="waypoint",.*destination_service_name="web",.*response_code="403",/m,
  )
  await cluster.must('delete', 'authorizationpolicy', '-n', 'shop', '--all')
})

test.serial('policy on the pods sees the waypoint, and who goes around it is refused', async (t) => {
  await cluster.apply(
    policy('shop', 'via-waypoint', 'web', 'ALLOW', [{ from: [{ source: { principals: [WAYPOINT] } }] }]),
  )
  const [ip] = await podIps(cluster, 'shop/web')
  const around = `http://${ip}:8080/get`
  await eventually(
    () => fetchFrom(alice, around),
    ({ exit }) => wasReset(exit),
    START_LIMIT_MS,
    'direct traffic is refused',
  )
  t.is((await fetchFrom(alice, `${URL}/get`)).status, 200)
  await cluster.must('delete', 'authorizationpolicy', '-n', 'shop', '--all')
})

test.serial('conditions say which waypoint enforces a policy, or why none does', async (t) => {
  const condition = 'jsonpath={.status.conditions[?(@.type=="WaypointAccepted")]}'
  const target = (name: string): string =>
    JSON.stringify(written('target', { action: 'DENY', rules: [{}], targetRefs: [{ ...TARGET[0], name }] }))
  const says = async (reason: string): Promise<string> =>
    await eventually(
      () => cluster.must('get', 'ap', '-n', 'shop', 'target', '-o', condition),
      (text) => text.includes(`"reason":"${reason}"`),
      START_LIMIT_MS,
      `the condition says ${reason}`,
    )
  await cluster.apply(target('web'))
  t.regex(await says('Accepted'), /"message":"bound to shop\/waypoint".*"status":"True"/)
  await cluster.apply(target('nowhere'))
  t.regex(await says('TargetNotFound'), /"message":"Service shop\/nowhere was not found".*"status":"False"/)
  await cluster.apply(target('web'))
  await cluster.must('label', 'svc', '-n', 'shop', 'web', 'istio.io/use-waypoint=none')
  t.regex(await says('AncestorNotBound'), /"message":"Service shop\/web is not bound to a waypoint"/)
  await cluster.must('label', 'svc', '-n', 'shop', 'web', 'istio.io/use-waypoint-')
  await cluster.must('delete', 'authorizationpolicy', '-n', 'shop', '--all')
})

test.serial('the waypoint warned of nothing of its own', async (t) => {
  t.notRegex(await waypointLog(cluster, 'shop'), /Warning|\terror\t|trace-warnings/)
})
