// Requests through a real waypoint: policy on methods and paths, routes, TCP beside it, its log and its metrics.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import type { CommandResult } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const LIMIT_MS = 30_000
const WAYPOINT = { ...AMBIENT, 'istio.io/use-waypoint': 'waypoint' }

let cluster: Cluster

function curl(...args: readonly string[]): Promise<CommandResult> {
  return cluster.kubectl('exec', '-n', 'people', 'alice', '--', 'curl', '-sS', '--max-time', '5', ...args)
}

/** Status and body of a request. */
async function ask(path: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await curl('-w', ' %{http_code}', ...args, `http://web.shop:8000${path}`)
  return stdout + stderr
}

test.serial.before(async () => {
  cluster = await startCluster({ name: 'requests' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', WAYPOINT) +
      client('people', 'alice', 'ambit-1') +
      server('shop', 'web', 'ambit-2') +
      `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop, labels: {istio.io/waypoint-for: service}}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---`,
  )
  await cluster.must('wait', 'gtw/waypoint', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
  for (const ns of ['people', 'shop'])
    await cluster.must('wait', 'pod', '-n', ns, '--all', '--for=condition=Ready', '--timeout=60s')
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

test.serial('a request goes through the waypoint', async (t) => {
  const answer = await eventually(
    async () => (await curl('-i', 'http://web.shop:8000/headers')).stdout,
    (text) => text.startsWith('HTTP/1.1 200') && /^server: istio-envoy/im.test(text),
    LIMIT_MS,
    'the waypoint answers',
  )
  t.regex(answer, /x-envoy-upstream-service-time: \d+/)
  t.regex(answer, /X-Request-Id/i)
})

test.serial('policy on methods and paths: GET passes, DELETE is 403', async (t) => {
  await cluster.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: web}]
  action: ALLOW
  rules:
    - from: [{source: {principals: [cluster.local/ns/people/sa/alice]}}]
      to: [{operation: {methods: [GET], paths: [/get, /status/*]}}]
`)
  const denied = await eventually(
    () => ask('/delete', '-X', 'DELETE'),
    (text) => text.endsWith(' 403'),
    LIMIT_MS,
    'DELETE is denied',
  )
  t.is(denied, 'RBAC: access denied 403')
  t.regex(await ask('/get'), / 200$/)
  t.is(await ask('/status/200/../../headers', '--path-as-is'), 'RBAC: access denied 403')
  const log = await cluster.must(
    'logs',
    '-n',
    'shop',
    '-l',
    'gateway.networking.k8s.io/gateway-name=waypoint',
    '--tail=100',
  )
  t.regex(log, /request denied by policy.*sa\/alice.*method="DELETE".*policy="shop\/readers"/)
})

test.serial('the waypoint counts', async (t) => {
  const pod = await cluster.must(
    'get',
    'pod',
    '-n',
    'shop',
    '-l',
    'gateway.networking.k8s.io/gateway-name=waypoint',
    '-o',
    'jsonpath={.items[0].status.podIP}',
  )
  const stats = (await curl(`http://${pod}:15020/stats/prometheus`)).stdout
  t.regex(
    stats,
    /istio_requests_total\{reporter="waypoint",source_workload="alice".*destination_service="web\.shop\.svc\.cluster\.local".*response_code="403"/,
  )
})

test.serial('a route changes requests', async (t) => {
  await cluster.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: web, port: 8000}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /get}}]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: {set: [{name: x-route, value: taken}]}
      backendRefs: [{name: web, port: 8000}]
`)
  const answer = await eventually(
    () => ask('/get'),
    (text) => text.includes('taken'),
    LIMIT_MS,
    'the route is taken',
  )
  t.regex(answer, / 200$/)
  t.is(await ask('/status/200'), ' 404')
})

test.serial('a waypoint that is killed while the other serves fails no request', async (t) => {
  const label = 'gateway.networking.k8s.io/gateway-name=waypoint'
  await cluster.must('delete', 'httproute', '-n', 'shop', 'web')
  await cluster.must('scale', 'deployment', '-n', 'shop', 'waypoint', '--replicas=2')
  await cluster.must('rollout', 'status', 'deployment', '-n', 'shop', 'waypoint', '--timeout=60s')
  await eventually(
    () => ask('/get'),
    (text) => text.endsWith(' 200'),
    LIMIT_MS,
    'the route is gone',
  )
  const pods = (await cluster.must('get', 'pod', '-n', 'shop', '-l', label, '-o', 'name')).split('\n').filter(Boolean)
  t.is(pods.length, 2)
  // One connection for all of its requests, and a connection for each.
  const load = (...more: string[]): Promise<CommandResult> =>
    cluster.kubectl(
      'exec',
      '-n',
      'people',
      'alice',
      '--',
      'curl',
      '-sS',
      '--rate',
      '50/s',
      '-w',
      '%{http_code}\\n',
      '-o',
      '/dev/null',
      ...more,
      'http://web.shop:8000/get?n=[1-500]',
    )
  const kept = load()
  const fresh = load('-H', 'Connection: close')
  await cluster.must('delete', '-n', 'shop', pods[0] ?? '', '--wait=true')
  for (const { stdout, stderr } of [await kept, await fresh]) {
    const codes = new Set(stdout.split('\n').filter(Boolean))
    t.deepEqual([...codes], ['200'], stderr)
    t.is(stdout.split('\n').filter((code) => code === '200').length, 500)
  }
})
