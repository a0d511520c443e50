// HTTPRoute and GRPCRoute on services behind a waypoint: applied with kubectl, seen by curl.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { type Answer, applyWaypoint, BY_WAYPOINT, countAnswers, fetchFrom } from '../support/waypoints.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const EFFECT_LIMIT_MS = 1000
const START_LIMIT_MS = 15_000
const HELLO = 'http://hello.shop:5000/hello'
const WEB = 'http://web.shop:8000'
const GRPC = 'http://grpc.shop:50051'

let cluster: Cluster
let alice: PodShell

/** A service, and unless it selects another's pods a pod of its own. */
function backend(name: string, port: number, image: string, labels: Readonly<Record<string, string>>): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: ${JSON.stringify(labels)}, ports: [{name: ${image.includes('grpc') ? 'grpc' : 'http'}, port: ${port}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: ${JSON.stringify(labels)}}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ambit-2}
  containers: [{name: main, image: ${image}, readinessProbe: {tcpSocket: {port: ${port}}, periodSeconds: 1}}]
---`
}

test.serial.before(async () => {
  cluster = await startCluster({ name: 'waypoint-routing' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      server('shop', 'web', 'ambit-2') +
      backend('hello-v1', 5000, 'istio/examples-helloworld-v1', { app: 'hello', version: 'v1' }) +
      backend('hello-v2', 5000, 'istio/examples-helloworld-v2', { app: 'hello', version: 'v2' }) +
      backend('copy', 8080, 'ambit/echo', { app: 'copy' }) +
      backend('grpc', 50051, 'ambit/grpc-echo', { app: 'grpc' }) +
      `
apiVersion: v1
kind: Service
metadata: {name: hello, namespace: shop}
spec: {selector: {app: hello}, ports: [{name: http, port: 5000}]}
---`,
  )
  await applyWaypoint(cluster, '-n', 'shop', '--enroll-namespace')
  await ready(cluster, 'people', 'shop')
  await enrolled(cluster, 'people')
  alice = new PodShell(cluster, 'people/alice')
  for (const url of [HELLO, `${WEB}/get`]) {
    await eventually(
      () => fetchFrom(alice, url),
      ({ head, status }) => BY_WAYPOINT.test(head) && status === 200,
      START_LIMIT_MS,
      `${url} goes through the waypoint`,
    )
  }
})

test.serial.after.always(async () => {
  await alice?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

function route(to: string, rules: unknown, kind: 'HTTPRoute' | 'GRPCRoute' = 'HTTPRoute'): string {
  return JSON.stringify({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind,
    metadata: { name: to, namespace: 'shop' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: to }], rules },
  })
}

/** Applies a route and asks until the answer fits, for one second. */
async function routed(
  manifest: string,
  ask: () => Promise<Answer>,
  fits: (answer: Answer) => boolean,
): Promise<Answer> {
  await cluster.apply(manifest)
  return await eventually(ask, fits, EFFECT_LIMIT_MS, 'the route takes effect')
}

const helloTo = (name: string, weight: number): unknown => ({ name, port: 5000, weight })
const versions = (): Promise<Map<string, number>> => countAnswers(alice, HELLO, 500, 'cut -d, -f1')
const hello = { path: { type: 'PathPrefix', value: '/hello' }, method: 'GET' }
const web = [{ name: 'web', port: 8000 }]
const get =
  (path: string, ...flags: readonly string[]) =>
  (): Promise<Answer> =>
    fetchFrom(alice, ...flags, `${WEB}${path}`)

test.serial('weights: 500 requests over one connection, nine in ten to one version', async (t) => {
  await routed(
    route('hello', [{ backendRefs: [helloTo('hello-v1', 0), helloTo('hello-v2', 1)] }]),
    () => fetchFrom(alice, HELLO),
    ({ body }) => body.startsWith('Hello version: v2,'),
  )
  t.deepEqual([...(await versions())], [['Hello version: v2', 500]], 'weight 0 gets nothing')
  await routed(
    route('hello', [{ backendRefs: [helloTo('hello-v1', 90), helloTo('hello-v2', 10)] }]),
    () => fetchFrom(alice, HELLO),
    ({ body }) => body.startsWith('Hello version: v1,'),
  )
  const split = await versions()
  const [first = 0, second = 0] = [split.get('Hello version: v1'), split.get('Hello version: v2')]
  t.is(first + second, 500)
  // 4.5 standard deviations of 6.7.
  t.true(Math.abs(first - 450) <= 30, `${first} to ${second}`)
})

test.serial(
  'a match of a header; conditions on the route; what matches no rule is 404; deleted, the default again',
  async (t) => {
    const answer = await routed(
      route('hello', [
        {
          matches: [{ ...hello, headers: [{ name: 'x-user', value: 'jason' }] }],
          backendRefs: [helloTo('hello-v2', 1)],
        },
        {
          matches: [hello],
          backendRefs: [helloTo('hello-v1', 1)],
        },
      ]),
      () => fetchFrom(alice, '-H', 'x-user: jason', HELLO),
      ({ body }) => body.startsWith('Hello version: v2,'),
    )
    t.is(answer.status, 200)
    t.true((await fetchFrom(alice, HELLO)).body.startsWith('Hello version: v1,'))
    t.deepEqual(Object.values(await fetchFrom(alice, '-X', 'POST', HELLO)).slice(1, 2), [404])
    const conditions = 'jsonpath={range .status.parents[0].conditions[*]}{.type}={.status} {end}'
    const written = await eventually(
      () => cluster.must('get', 'httproute', '-n', 'shop', 'hello', '-o', conditions),
      (text) => text !== '',
      START_LIMIT_MS,
      'the route has conditions',
    )
    t.regex(written, /\bAccepted=True\b/)
    t.regex(written, /\bResolvedRefs=True\b/)
    await cluster.must('delete', 'httproute', '-n', 'shop', 'hello')
    await eventually(
      () => fetchFrom(alice, '-X', 'POST', HELLO),
      ({ status }) => status === 200,
      EFFECT_LIMIT_MS,
      'the default route is back',
    )
    t.is((await versions()).size, 2)
  },
)

test.serial('changes of headers, both ways', async (t) => {
  const filters = [
    {
      type: 'RequestHeaderModifier',
      requestHeaderModifier: {
        set: [{ name: 'x-set', value: 'route' }],
        add: [{ name: 'x-added', value: 'two' }],
        remove: ['x-gone'],
      },
    },
    { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-answer', value: 'changed' }] } },
  ]
  const { head, body } = await routed(
    route('web', [{ filters, backendRefs: web }]),
    get('/headers', '-H', 'x-set: client', '-H', 'x-added: one', '-H', 'x-gone: here'),
    ({ head: text }) => /^x-answer: changed\r?$/im.test(text),
  )
  t.regex(head, BY_WAYPOINT)
  const seen = (JSON.parse(body) as { headers: Record<string, string[]> }).headers
  t.deepEqual(seen['X-Set'], ['route'])
  t.deepEqual(seen['X-Added']?.join(',').split(/, ?/), ['one', 'two'])
  t.is(seen['X-Gone'], undefined)
})

test.serial('redirect', async (t) => {
  const filters = [
    {
      type: 'RequestRedirect',
      requestRedirect: {
        scheme: 'https',
        hostname: 'new.example',
        statusCode: 301,
        path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' },
      },
    },
  ]
  const { status, head } = await routed(
    route('web', [{ matches: [{ path: { type: 'PathPrefix', value: '/old' } }], filters }]),
    get('/old/page?x=1'),
    (answer) => answer.status === 301,
  )
  t.is(status, 301)
  t.regex(head, /^location: https:\/\/new\.example(?::443)?\/new\/page\?x=1\r?$/im)
})

test.serial('rewrite of host and path', async (t) => {
  const filters = [
    {
      type: 'URLRewrite',
      urlRewrite: {
        hostname: 'inner.example',
        path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/anything/in' },
      },
    },
  ]
  const { body } = await routed(
    route('web', [{ matches: [{ path: { type: 'PathPrefix', value: '/out' } }], filters, backendRefs: web }]),
    get('/out/a?b=c'),
    ({ status }) => status === 200,
  )
  t.is((JSON.parse(body) as { url: string }).url, 'http://inner.example/anything/in/a?b=c')
})

test.serial('timeout', async (t) => {
  const { body } = await routed(
    route('web', [{ timeouts: { request: '300ms' }, backendRefs: web }]),
    get('/delay/2'),
    ({ status }) => status === 504,
  )
  t.is(body, 'upstream request timeout')
  t.is((await get('/delay/0')()).status, 200)
})

test.serial('mirror: another server gets a copy, the client hears only the first', async (t) => {
  const filters = [{ type: 'RequestMirror', requestMirror: { backendRef: { name: 'copy', port: 8080 } } }]
  await cluster.apply(route('web', [{ filters, backendRefs: web }]))
  const copies = (): Promise<string> => cluster.must('logs', '-n', 'shop', 'copy')
  await eventually(
    async () => {
      const { status, body } = await get('/anything/mirrored')()
      t.deepEqual([status, body.includes('"method": "GET"')], [200, true])
      return await copies()
    },
    (text) => /^GET \/anything\/mirrored host=web\.shop:8000$/m.test(text),
    START_LIMIT_MS,
    'the other server has received a copy',
  )
})

test.serial('a backend that is not there is 500, and only for its share', async (t) => {
  const { body } = await routed(
    route('web', [{ backendRefs: [{ name: 'nowhere', port: 80 }] }]),
    get('/get'),
    ({ status }) => status === 500,
  )
  t.is(body, '')
  await cluster.apply(route('web', [{ backendRefs: [...web, { name: 'nowhere', port: 80 }] }]))
  const codes = (): Promise<string> =>
    alice.run(`curl -s -o /dev/null -w '%{http_code}\\n' '${WEB}/get#[1-60]' | sort -u`)
  await eventually(codes, (text) => text === '200\n500\n', EFFECT_LIMIT_MS, 'half of the requests are answered')
  const refs = 'jsonpath={.status.parents[0].conditions[?(@.type=="ResolvedRefs")].reason}'
  await eventually(
    () => cluster.must('get', 'httproute', '-n', 'shop', 'web', '-o', refs),
    (text) => text === 'BackendNotFound',
    START_LIMIT_MS,
    'the route says so',
  )
  await cluster.must('delete', 'httproute', '-n', 'shop', 'web')
  await eventually(get('/get'), ({ status }) => status === 200, EFFECT_LIMIT_MS, 'the default route is back')
})

/** A message of five bytes by HTTP/2, as any gRPC client sends it; the head ends in the trailers. */
const say = async (method = '/ambit.Echo/Say'): Promise<string> =>
  await alice.run(
    `printf '\\000\\000\\000\\000\\005hello' | curl -sS -D - --max-time 8 --http2-prior-knowledge -H 'te: trailers' -H 'content-type: application/grpc' --data-binary @- ${GRPC}${method} | tr '\\000\\005' '..'`,
  )

test.serial('gRPC: answers with trailers, a GRPCRoute, a denial of status 7', async (t) => {
  const answer = await eventually(say, (text) => text.includes('hello'), START_LIMIT_MS, 'the server answers')
  t.regex(answer, /^HTTP\/2 200/)
  t.regex(answer, BY_WAYPOINT)
  t.regex(answer, /grpc-status: 0\r?$/im)
  await cluster.apply(
    route(
      'grpc',
      [
        {
          matches: [{ method: { service: 'ambit.Echo', method: 'Say' } }],
          filters: [
            { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-route', value: 'grpc' }] } },
          ],
          backendRefs: [{ name: 'grpc', port: 50051 }],
        },
      ],
      'GRPCRoute',
    ),
  )
  const routedAnswer = await eventually(
    say,
    (text) => /^x-route: grpc\r?$/im.test(text),
    EFFECT_LIMIT_MS,
    'the GRPCRoute takes effect',
  )
  t.regex(routedAnswer, /grpc-status: 0\r?$/im)
  t.regex(await say('/ambit.Echo/Other'), /grpc-status: 12\r?$/im)
  await cluster.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-say, namespace: shop}
spec:
  targetRefs: [{group: '', kind: Service, name: grpc}]
  action: DENY
  rules: [{to: [{operation: {paths: [/ambit.Echo/Say], methods: [POST]}}]}]
---`)
  const denied = await eventually(
    say,
    (text) => /grpc-status: 7\r?$/im.test(text),
    EFFECT_LIMIT_MS,
    'the call is denied',
  )
  t.regex(denied, /^HTTP\/2 200/)
  t.regex(denied, /^grpc-message: RBAC: access denied\r?$/im)
})
