// control-plane.md 5.2, 5.3: what VirtualServices and DestinationRules ask for, done to real requests.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createTcp } from 'node:net'
import { setDefaultCACertificates } from 'node:tls'
import { CertificateAuthority } from '@ambit/identity'
import test from 'ava'
import { type RouteInit, VIP, World } from './support/world.ts'

const HOST = 'web.default.svc.cluster.local'
const POLICY = `default/default/${HOST}`
const PORT = { number: 80, protocol: 2 } as const

const to = (...backends: object[]): NonNullable<RouteInit['action']> => ({
  case: 'backends',
  value: {
    backends: backends.map((more) => ({
      namespace: 'default',
      hostname: HOST,
      port: 80,
      weight: 1,
      protocol: 2,
      ...more,
    })),
  },
})

/** Pods that say their name. */
async function serveNamed(world: World, ...names: readonly string[]): Promise<void> {
  world.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }])
  for (const [index, name] of names.entries()) {
    const port = await world.listen(createServer((_, response) => void response.end(name)))
    await world.pod(name, `10.0.0.${20 + index}`, { web: { 80: 8080 } }, { 8080: port })
  }
}

async function serveRoutes(
  world: World,
  routes: readonly RouteInit[],
  handler: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => void response.end('app'),
): Promise<void> {
  await world.serve(createServer(handler), { routes: { routes: [...routes] } })
}

test('an abort for one user, an answer of the route’s own for another', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  const user = (value: string) => ({ headers: [{ name: 'end-user', value: { case: 'exact' as const, value } }] })
  await serveRoutes(world, [
    {
      match: user('jason'),
      fault: { abortPerMillion: 1_000_000, abort: { case: 'httpStatus', value: 555 } },
      action: to({}),
    },
    {
      match: user('grpc'),
      fault: { abortPerMillion: 1_000_000, abort: { case: 'grpcStatus', value: 14 } },
      action: to({}),
    },
    { match: user('tea'), action: { case: 'directResponse', value: { status: 418, body: Buffer.from('short') } } },
    { fault: { abortPerMillion: 0, abort: { case: 'httpStatus', value: 500 } }, action: to({}) },
  ])
  const client = world.client()
  const as = (name: string, more: object = {}) => client.request({ headers: { 'end-user': name, ...more } })
  t.like(await as('jason'), { status: 555, body: 'fault filter abort' })
  t.like(await as('tea'), { status: 418, body: 'short' })
  t.like(await as('other'), { status: 200, body: 'app' })
  const grpc = await as('grpc', { 'content-type': 'application/grpc' })
  t.is(grpc.headers['grpc-status'], '14')
  t.regex(await world.access.find(/ 555 /), / 555 FI fault_filter_abort /)
})

test('a delay holds the request up, and is seen in the log', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await serveRoutes(world, [{ fault: { delayPerMillion: 1_000_000, delayMs: 300 }, action: to({}) }])
  const client = world.client()
  const startedMs = performance.now()
  t.like(await client.request(), { status: 200, body: 'app' })
  // A timer may be early by the part of a millisecond.
  t.true(performance.now() - startedMs >= 299)
  t.regex(await world.access.find(/"GET \/ /), / 200 DI via_upstream /)
})

test('a request that was held up is judged again', async (t) => {
  await using world = await World.start()
  const slow = { path: { case: 'exactPath' as const, value: '/slow' } }
  const routes = {
    routes: [{ match: slow, fault: { delayPerMillion: 1_000_000, delayMs: 4000 }, action: to({}) }, { action: to({}) }],
  }
  await world.serve(
    createServer((_, response) => void response.end('app')),
    { routes },
  )
  const client = world.client()
  const waiting = client.request({ path: '/slow' })
  t.is((await client.request()).status, 200)
  world.policy('nobody', { action: 1, rules: [{}] })
  world.destination('web', [{ ...PORT, routes }], { authorizationPolicies: ['default/nobody'] })
  await world.applied(async () => (await client.request()).status === 403)
  t.like(await waiting, { status: 403, body: 'RBAC: access denied' })
})

test('preflights are answered for the endpoint, answers to allowed origins are theirs to read', async (t) => {
  await using world = await World.start()
  const seen: string[] = []
  await serveRoutes(
    world,
    [
      {
        cors: {
          allowOrigins: [{ value: { case: 'exact', value: 'https://shop.example' } }],
          allowMethods: ['GET', 'PUT'],
          allowHeaders: ['x-a'],
          exposeHeaders: ['x-b'],
          maxAgeSeconds: 60,
          allowCredentials: true,
        },
        action: to({}),
      },
    ],
    (request, response) => {
      seen.push(request.method ?? '')
      response.setHeader('access-control-allow-origin', '*').end()
    },
  )
  const client = world.client()
  const asks = (origin: string) => ({
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'PUT' },
  })
  const preflight = await client.request(asks('https://shop.example'))
  t.is(preflight.status, 200)
  t.like(preflight.headers, {
    'access-control-allow-origin': 'https://shop.example',
    'access-control-allow-methods': 'GET,PUT',
    'access-control-allow-headers': 'x-a',
    'access-control-max-age': '60',
    'access-control-allow-credentials': 'true',
  })
  t.deepEqual(seen, [])
  const answer = await client.request({ headers: { origin: 'https://shop.example' } })
  t.is(answer.headers['access-control-allow-origin'], 'https://shop.example')
  t.is(answer.headers['access-control-expose-headers'], 'x-b')
  const other = await client.request(asks('https://evil.example'))
  t.is(other.headers['access-control-allow-origin'], '*')
  t.deepEqual(seen, ['GET', 'OPTIONS'])
})

test('a subset is the endpoints that say so, from one request to the next', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  await serveNamed(world, 'one', 'two')
  world.trafficPolicy(POLICY, {
    treatment: {},
    subsets: [
      { name: 'v1', treatment: {} },
      { name: 'none', treatment: {} },
    ],
  })
  world.member('one', `${POLICY}/v1`)
  const subset = (name: string) => to({ trafficPolicy: POLICY, subset: name })
  const path = (value: string) => ({ path: { case: 'exactPath' as const, value } })
  world.destination('web', [
    {
      ...PORT,
      routes: {
        routes: [
          { match: path('/none'), action: subset('none') },
          { match: path('/unknown'), action: subset('v9') },
          { match: path('/later'), action: to({ trafficPolicy: 'default/later' }) },
          { action: subset('v1') },
        ],
      },
    },
  ])
  await world.ready()
  const client = world.client()
  await world.applied(async () => (await client.request()).body === 'one')
  for (let n = 0; n < 10; n++) t.is((await client.request()).body, 'one')
  t.like(await client.request({ path: '/none' }), { status: 503, body: 'no healthy upstream' })
  t.like(await client.request({ path: '/unknown' }), { status: 503, body: '' })
  t.like(await client.request({ path: '/later' }), { status: 503, body: '' })
  t.regex(await world.access.find(/"GET \/unknown /), / 503 NC cluster_not_found /)
  const dump = (await (await fetch(`http://127.0.0.1:${world.app.bound.admin.port}/config_dump`)).json()) as {
    readonly trafficPolicies: readonly object[]
  }
  t.like(dump.trafficPolicies[0], { name: POLICY, members: { v1: ['Kubernetes//Pod/default/one'], none: [] } })
  world.member('two', `${POLICY}/v1`)
  world.member('one')
  await world.applied(async () => (await client.request()).body === 'two')
  for (let n = 0; n < 10; n++) t.is((await client.request()).body, 'two')
})

test('a service without routes is treated too: turns, hashes, cookies and refusals', async (t) => {
  await using world = await World.start()
  const names = ['one', 'two', 'three']
  await serveNamed(world, ...names)
  const treat = (treatment: object): void => world.trafficPolicy(POLICY, { treatment })
  treat({ loadBalancing: { algorithm: 1 } })
  world.destination('web', [PORT], {}, POLICY)
  await world.ready()
  const client = world.client()
  const bodies = async (count: number, headers: object = {}): Promise<readonly string[]> => {
    const all: string[] = []
    for (let n = 0; n < count; n++) all.push((await client.request({ headers: { ...headers } })).body)
    return all
  }
  await world.applied(async () => new Set(await bodies(3)).size === 3)
  const turns = await bodies(6)
  t.deepEqual(turns.slice(0, 3).toSorted(), names.toSorted())
  t.deepEqual(turns.slice(3), turns.slice(0, 3))

  treat({ loadBalancing: { hashOf: { case: 'header', value: 'X-User' } } })
  await world.applied(async () => new Set(await bodies(9, { 'x-user': 'jane' })).size === 1)
  const users = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const homes = await Promise.all(users.map(async (user) => new Set(await bodies(4, { 'x-user': user }))))
  t.true(homes.every(({ size }) => size === 1))
  t.true(new Set(homes.flatMap((home) => [...home])).size > 1)

  treat({ loadBalancing: { hashOf: { case: 'cookie', value: { name: 'stick', path: '/', ttlSeconds: 60 } } } })
  let given: string | undefined
  await world.applied(async () => {
    const answer = await client.request()
    given = answer.headers['set-cookie']?.[0]
    return given !== undefined
  })
  t.regex(given ?? '', /^stick="[0-9a-f-]{36}"; Max-Age=60; Path=\/; HttpOnly$/)
  const cookie = given?.split(';')[0] ?? ''
  const first = await client.request({ headers: { cookie } })
  t.is(first.headers['set-cookie'], undefined)
  t.deepEqual(new Set(await bodies(6, { cookie })), new Set([first.body]))

  treat({ refused: 'trafficPolicy.tls.mode: SIMPLE is not supported' })
  await world.applied(async () => (await client.request()).status === 503)
  t.regex((await client.request()).body, /refused by the DestinationRule: .*SIMPLE is not supported/)
})

test('one connection and one that waits, the next is told of the overflow', async (t) => {
  await using world = await World.start({ settings: { accessLog: {} } })
  const waiting: ServerResponse[] = []
  const arrived: (() => void)[] = []
  world.trafficPolicy(POLICY, { treatment: { maxConnections: 1, maxPendingRequests: 1, maxRequestsPerConnection: 1 } })
  await serveRoutes(world, [{ action: to({ trafficPolicy: POLICY }) }], (_, response) => {
    waiting.push(response)
    arrived.shift()?.()
  })
  const client = world.client()
  const firstArrived = new Promise<void>((resolve) => arrived.push(resolve))
  const first = client.request({ path: '/1' })
  await firstArrived
  const secondArrived = new Promise<void>((resolve) => arrived.push(resolve))
  const others = ['/2', '/3'].map((path) => client.request({ path }))
  // Whichever of them comes first waits.
  const overflown = await Promise.race(others)
  t.like(overflown, { status: 503 })
  t.regex(overflown.body, /reset reason: overflow$/)
  t.regex(await world.access.find(/ 503 UO /), /"GET \/[23] /)
  waiting.shift()?.end('1')
  t.is((await first).body, '1')
  await secondArrived
  waiting.shift()?.end('2')
  const answers = await Promise.all(others)
  t.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 503],
  )
})

test('an endpoint that fails in a row is left alone', async (t) => {
  await using world = await World.start()
  world.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }])
  const asked: string[] = []
  for (const [index, [name, status]] of (
    [
      ['good', 200],
      ['bad', 500],
    ] as const
  ).entries()) {
    const app = createServer((_, response) => {
      asked.push(name)
      response.writeHead(status).end(name)
    })
    await world.pod(name, `10.0.0.${20 + index}`, { web: { 80: 8080 } }, { 8080: await world.listen(app) })
  }
  const outlierDetection = { consecutive5xx: 2, baseEjectionMs: 3_600_000, maxEjectionPercent: 100, intervalMs: 10_000 }
  world.trafficPolicy(POLICY, { treatment: { loadBalancing: { algorithm: 1 }, outlierDetection } })
  world.destination('web', [PORT], {}, POLICY)
  await world.ready()
  const client = world.client()
  await world.applied(
    async () => (await client.request().catch(() => undefined), asked.filter((one) => one === 'bad').length >= 2),
  )
  asked.length = 0
  for (let n = 0; n < 10; n++) t.is((await client.request()).body, 'good')
  t.deepEqual(new Set(asked), new Set(['good']))
})

test('connections that are no HTTP go where their route says', async (t) => {
  await using world = await World.start()
  const answering = (text: string) => createTcp((socket) => void socket.once('data', () => socket.end(text)))
  world.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }])
  world.service('other', '10.96.0.2', [{ servicePort: 90, targetPort: 8080 }])
  const [web, other] = [await world.listen(answering('web')), await world.listen(answering('other'))]
  await world.pod('web-1', '10.0.0.11', { web: { 80: 8080 } }, { 8080: web })
  await world.pod('other-1', '10.0.0.12', { other: { 90: 8080 } }, { 8080: other })
  const backends = [{ namespace: 'default', hostname: 'other.default.svc.cluster.local', port: 90, weight: 1 }]
  world.destination('web', [{ number: 80, protocol: 1, tcpBackends: { backends } }])
  await world.ready()
  const client = world.client()
  await world.applied(async () => (await client.raw('hello').catch(() => '')) !== '')
  t.is(await client.raw('hello'), 'other')
  world.destination('web', [{ number: 80, protocol: 1 }])
  await world.applied(async () => (await client.raw('hello')) === 'web')
  t.pass()
})

test('TLS of the endpoint’s own: its name is checked, under HTTP/1.1 and HTTP/2', async (t) => {
  const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'test' })
  const keys = ca.signServer({ dnsNames: ['api.example', HOST], ttlMs: 3_600_000 })
  // The roots of the machine, for this process.
  setDefaultCACertificates([ca.rootsPem])
  await using world = await World.start()
  world.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }])
  const seen: string[] = []
  const app = createSecureServer({ cert: keys.chainPem, key: keys.keyPem, allowHTTP1: true }, (request, response) => {
    seen.push(`${request.httpVersion} ${(request.socket as { servername?: string }).servername}`)
    response.end('secret')
  })
  await world.pod('web-1', '10.0.0.20', { web: { 80: 8080 } }, { 8080: await world.listen(app) })
  const tls = (more: object, protocol: 2 | 3 = 2): void => {
    world.trafficPolicy(POLICY, { treatment: { tls: { ...more } } })
    world.destination('web', [{ number: 80, protocol }], {}, POLICY)
  }
  tls({ serverName: 'api.example' })
  await world.ready()
  const client = world.client()
  await world.applied(async () => (await client.request().catch(() => undefined))?.body === 'secret')
  t.is(seen.at(-1), '1.1 api.example')
  tls({}, 3)
  await world.applied(async () => (await client.request()).body === 'secret' && seen.at(-1)?.startsWith('2.0') === true)
  t.is(seen.at(-1), `2.0 ${HOST}`)
  tls({ serverName: 'other.example' })
  await world.applied(async () => (await client.request()).status === 503)
  t.regex((await client.request()).body, /remote connection failure/)
  tls({ serverName: 'other.example', subjectAltNames: ['nobody', 'api.example'] })
  await world.applied(async () => (await client.request()).body === 'secret')
  tls({ serverName: 'other.example', subjectAltNames: ['nobody'] })
  await world.applied(async () => (await client.request()).status === 503)
  tls({ serverName: 'other.example', insecureSkipVerify: true })
  await world.applied(async () => (await client.request()).body === 'secret')
  t.pass()
})
