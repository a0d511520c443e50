// control-plane.md 5.2, 12 (36, 37, 38): VirtualServices become routes of waypoints, and say what became of them.
import type { waypointpb } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import type { RouteCondition } from '../src/compile/route-condition.ts'
import { logRuleProblems } from '../src/status/log-rule-problems.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const KEY = 'a/s.a.svc.cluster.local'
const use = { labels: { 'istio.io/use-waypoint': 'wp' } }
const bound = [make.service('a/s', {}, use), make.gateway('a/wp')]
const to = (host = 's', more: object = {}): object => ({ destination: { host, ...more } })
const rule = (more: object = {}): object => ({ route: [to()], ...more })
const created = (second: number): object => ({ metadata: { creationTimestamp: `2026-01-01T00:00:0${second}Z` } })
const virtual = (http: readonly object[], spec: object = {}, at = 'a/vs', second = 0): KubeObject =>
  make.virtualService(at, { hosts: ['s'], http, ...spec }, created(second))

function portOf(mesh: Mesh, number = 80): waypointpb.Port | undefined {
  const { target } = mesh.destination(KEY)?.destination ?? {}
  if (target?.case !== 'service') throw new Error('not a service')
  return target.value.ports.find((port) => port.number === number)
}

const routesOf = (mesh: Mesh, number = 80): readonly waypointpb.Route[] | undefined =>
  portOf(mesh, number)?.routes?.routes
const namesOf = (mesh: Mesh, number = 80): readonly string[] | undefined =>
  routesOf(mesh, number)?.map(({ name }) => name)

function only(http: object, ...others: readonly KubeObject[]): waypointpb.Route {
  const [route, ...more] = routesOf(Mesh.of(...bound, virtual([http]), ...others)) ?? []
  if (route === undefined || more.length > 0) throw new Error('want one route')
  return route
}

function statusOf(mesh: Mesh, unit = 'virtualService/a/vs'): Readonly<Record<string, RouteCondition>> {
  const found = [...mesh.index.results()].find(([key]) => key === unit)?.[1].ruleConditions ?? []
  return Object.fromEntries(found.map((condition) => [condition.type, condition]))
}

test('hosts: short, whole and wildcard names, exported to the waypoint, of its namespace or the service’s', (t) => {
  const applies = (spec: object, at = 'a/vs'): boolean =>
    routesOf(Mesh.of(...bound, virtual([{ name: 'r', ...rule() }], spec, at))) !== undefined
  t.true(applies({}))
  t.true(applies({ hosts: ['s.a.svc.cluster.local'] }))
  t.true(applies({ hosts: ['other', '*.a.svc.cluster.local'] }))
  t.true(applies({ hosts: ['*.cluster.local'] }))
  t.true(applies({ gateways: ['mesh'] }))
  t.true(applies({ gateways: ['x/gw', 'mesh'] }))
  t.true(applies({ exportTo: ['.'] }))
  t.true(applies({ exportTo: ['b', 'a'] }))
  t.false(applies({ hosts: ['other'] }))
  t.false(applies({ hosts: ['s.a'] }))
  t.false(applies({ hosts: ['*.b.svc.cluster.local'] }))
  t.false(applies({ gateways: ['gw'] }))
  t.false(applies({ exportTo: ['b'] }))
  t.false(applies({ exportTo: ['~'] }))
  // A rule of a client's namespace is not for waypoints.
  t.false(applies({ hosts: ['s.a.svc.cluster.local'] }, 'b/vs'))
})

test('a VirtualService comes and goes', (t) => {
  const mesh = Mesh.of(...bound)
  t.is(routesOf(mesh), undefined)
  mesh.apply(virtual([rule()]))
  t.deepEqual(namesOf(mesh), ['a.vs.0'])
  mesh.apply(virtual([rule()], { hosts: ['other'] }))
  t.is(routesOf(mesh), undefined)
  mesh.apply(virtual([rule({ name: 'named', match: [{ name: 'm', uri: { exact: '/' } }, {}] })]))
  t.deepEqual(namesOf(mesh), ['named.m', 'named'])
  mesh.delete(virtual([]))
  t.is(routesOf(mesh), undefined)
})

test('all a match can ask for', (t) => {
  const { match } = only(
    rule({
      match: [
        {
          uri: { prefix: '/A' },
          ignoreUriCase: true,
          scheme: { exact: 'https' },
          method: { regex: 'P.*' },
          authority: { prefix: 'x' },
          headers: { 'end-user': { exact: 'jason' }, any: {}, some: { regex: '*' } },
          withoutHeaders: { bad: { prefix: 'x' }, none: {} },
          queryParams: { q: { regex: '[0-9]+' } },
          sourceNamespace: 'a',
          port: 80,
        },
      ],
    }),
  )
  t.like(match, {
    path: { case: 'pathTextPrefix', value: '/A' },
    pathIgnoresCase: true,
    method: '',
    sourceNamespace: 'a',
  })
  t.like(match?.scheme, { value: { case: 'exact', value: 'https' } })
  t.like(match?.methodText, { value: { case: 'regex', value: 'P.*' } })
  t.like(match?.authority, { value: { case: 'prefix', value: 'x' } })
  t.deepEqual(
    match?.headers.map(({ name, value }) => [name, value.case]),
    [
      ['end-user', 'exact'],
      ['any', 'present'],
      ['some', 'present'],
    ],
  )
  t.deepEqual(
    match?.withoutHeaders.map(({ name, value }) => [name, value.case]),
    [
      ['bad', 'prefix'],
      ['none', 'present'],
    ],
  )
  t.like(match?.query[0], { name: 'q', value: { case: 'regex', value: '[0-9]+' } })
})

test('all a rule can do', (t) => {
  const route = only(
    rule({
      match: [{ uri: { prefix: '/a' } }],
      route: [
        { destination: { host: 's' }, weight: 75, headers: { request: { set: { x: '1' }, remove: ['y'] } } },
        { destination: { host: 'elsewhere.example', port: { number: 81 } }, weight: 25 },
      ],
      headers: { response: { add: { z: '2' } }, request: { set: { ':authority': 'h' } } },
      rewrite: { uri: '/b', authority: 'other' },
      timeout: '2s',
      retries: { attempts: 3, perTryTimeout: '500ms', retryOn: '5xx, 409,connect-failure', backoff: '30ms' },
      fault: {
        delay: { fixedDelay: '7s', percentage: { value: 0.1 } },
        abort: { grpcStatus: 'UNAVAILABLE', percentage: { value: 100 } },
      },
      mirror: { host: 's' },
      mirrorPercentage: { value: 50 },
      corsPolicy: {
        allowOrigins: [{ exact: 'https://a' }],
        allowMethods: ['GET'],
        allowHeaders: ['x-a'],
        exposeHeaders: ['x-b'],
        maxAge: '24h',
        allowCredentials: true,
        unmatchedPreflights: 'IGNORE',
      },
    }),
  )
  const backends = route.action.case === 'backends' ? route.action.value.backends : []
  t.like(backends[0], { namespace: 'a', hostname: 's.a.svc.cluster.local', port: 80, weight: 75, subset: '' })
  t.deepEqual(backends[0]?.requestHeaders?.remove, ['y'])
  // Nobody has that name: no service of that key will be found.
  t.like(backends[1], { invalid: false, namespace: '', hostname: 'elsewhere.example', port: 81, weight: 25 })
  t.like(route.requestHeaders?.set[0], { name: 'host', value: 'h' })
  t.like(route.responseHeaders?.add[0], { name: 'z', value: '2' })
  t.like(route.rewrite, { hostname: 'other', path: { change: { case: 'textPrefix', value: '/b' } } })
  t.like(route, { requestTimeoutMs: 2000, backendTimeoutMs: 500 })
  t.like(route.retry, { attempts: 3, codes: [409], conditions: ['5xx', 'connect-failure'], backoffMs: 30 })
  t.like(route.fault, {
    delayMs: 7000,
    delayPerMillion: 1000,
    abortPerMillion: 1_000_000,
    abort: { case: 'grpcStatus', value: 14 },
  })
  t.like(route.mirrors[0], { perMillion: 500_000 })
  t.like(route.cors, {
    allowMethods: ['GET'],
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-b'],
    maxAgeSeconds: 86_400,
    allowCredentials: true,
    answerAllPreflights: true,
  })
})

test('faults say of how many requests, or of none', (t) => {
  const fault = { abort: { httpStatus: 500 }, delay: { fixedDelay: '1s' } }
  t.like(only(rule({ fault })).fault, { abortPerMillion: 0, delayPerMillion: 0 })
})

test('a rewrite replaces what was matched', (t) => {
  const change = (uri: object | undefined): string | undefined =>
    only(rule({ match: [{ ...(uri && { uri }) }], rewrite: { uri: '/b' } })).rewrite?.path?.change.case
  t.is(change({ prefix: '/a' }), 'textPrefix')
  t.is(change({ exact: '/a' }), 'full')
  t.is(change({ regex: '/a.*' }), 'full')
  t.is(change(undefined), 'textPrefix')
  const regex = only(rule({ rewrite: { uriRegexRewrite: { match: '/(a)', rewrite: String.raw`/\1` } } })).rewrite
  t.like(regex?.path?.change, { case: 'regex' })
})

test('redirects and direct responses need no destination', (t) => {
  const moved = only({ redirect: { uri: '/b', authority: 'x:81', scheme: 'https' } })
  t.like(moved.action, { case: 'redirect' })
  t.like(moved.action.value, { hostname: 'x:81', scheme: 'https', status: 301, keepsWrittenPort: true })
  const derived = only({ redirect: { derivePort: 'FROM_PROTOCOL_DEFAULT', redirectCode: 308 } })
  t.like(derived.action.value, { port: 80, status: 308, keepsWrittenPort: false })
  const answer = only({ directResponse: { status: 418, body: { string: 'tea' } } })
  t.is(answer.action.case, 'directResponse')
  t.like(answer.action.value, { status: 418, body: new Uint8Array(Buffer.from('tea')) })
})

test('rules as they are written, up to the first that takes everything', (t) => {
  const mesh = Mesh.of(
    ...bound,
    virtual([
      rule({ name: 'one', match: [{ uri: { exact: '/1' } }, { uri: { prefix: '/2' } }] }),
      rule({ name: 'two', match: [{ headers: { a: { exact: '1' } } }, { uri: { prefix: '/' } }] }),
      rule({ name: 'hidden' }),
    ]),
  )
  t.deepEqual(namesOf(mesh), ['one', 'one', 'two', 'two'])
})

test('a match for another port, gateway or with labels of the source is left out, the rule stays', (t) => {
  const match = [
    { sourceLabels: { app: 'x' } },
    { port: 81 },
    { gateways: ['gw'] },
    { uri: { exact: '/here' }, gateways: ['mesh'], port: 80 },
  ]
  const mesh = Mesh.of(
    ...bound,
    virtual([rule({ match }), rule({ name: 'rest', match: [{ sourceLabels: { a: 'b' } }] })]),
  )
  t.deepEqual(
    routesOf(mesh)?.map(({ match: left }) => left?.path.value),
    ['/here'],
  )
  t.like(statusOf(mesh)['Accepted'], { status: 'True', reason: 'PartiallyInvalid' })
  t.regex(statusOf(mesh)['Accepted']?.message ?? '', /http\[0\]\.match\[0\]\.sourceLabels/)
})

test('without any rule for the port the service is as if there were none', (t) => {
  const mesh = Mesh.of(...bound, virtual([rule({ match: [{ port: 81 }] })]))
  t.is(routesOf(mesh), undefined)
})

test('several for one host are one table, the older first, HTTPRoutes by the oldest of them', (t) => {
  const uri = (path: string): object => ({ match: [{ uri: { exact: path } }] })
  const parentRefs = [{ group: '', kind: 'Service', name: 's' }]
  const route = make.httpRoute('a/r', { parentRefs, rules: [{ backendRefs: [{ name: 's', port: 80 }] }] }, created(2))
  const mesh = Mesh.of(
    ...bound,
    virtual([rule({ name: 'young', ...uri('/3') })], {}, 'a/young', 3),
    virtual([rule({ name: 'old', ...uri('/1') })], {}, 'a/old', 1),
    virtual([rule({ name: 'wild', ...uri('/4') })], { hosts: ['*.cluster.local'] }, 'a/wild', 4),
    route,
  )
  t.deepEqual(namesOf(mesh), ['old', 'a.r.0', 'young', 'wild'])
})

for (const [title, http, problem] of [
  ['a field nobody knows', rule({ later: 1 }), /http\[0\]\.later/],
  ['a condition nobody knows', rule({ match: [{ later: {} }] }), /match\[0\]\.later/],
  ['a kind of text match nobody knows', rule({ match: [{ uri: { suffix: '/a' } }] }), /match\[0\]\.uri/],
  ['claims of a token', rule({ match: [{ headers: { '@request.auth.claims.sub': { exact: 'x' } } }] }), /claims/],
  ['a delegate that is not there', { delegate: { name: 'd' } }, /delegate a\/d: not found/],
  ['a delay of another kind', rule({ fault: { delay: { exponentialDelay: '1s' } } }), /fault\.delay/],
  ['an unknown gRPC status', rule({ fault: { abort: { grpcStatus: 'NOPE' } } }), /grpcStatus/],
  ['a timeout that is none', rule({ timeout: 'soon' }), /timeout/],
] as const)
  test(`answered 500 and said so: ${title}`, (t) => {
    const mesh = Mesh.of(...bound, virtual([http]))
    t.like(routesOf(mesh)?.[0]?.action, { case: 'fixedStatus', value: 500 })
    t.like(statusOf(mesh)['Accepted'], { status: 'False', reason: 'UnsupportedValue' })
    t.regex(statusOf(mesh)['Accepted']?.message ?? '', problem)
  })

test('subsets are of a DestinationRule, and one that is not there is refused', (t) => {
  const mesh = Mesh.of(...bound, virtual([{ route: [to('s', { subset: 'v1' })] }]))
  const backend = (): waypointpb.Backend | undefined => {
    const action = routesOf(mesh)?.[0]?.action
    return action?.case === 'backends' ? action.value.backends[0] : undefined
  }
  t.is(routesOf(mesh)?.[0]?.action.case, 'backends')
  t.like(backend(), { namespace: '', subset: 'v1', trafficPolicy: '' })
  t.like(statusOf(mesh)['ResolvedRefs'], { status: 'False', reason: 'BackendNotFound' })
  mesh.apply(make.destinationRule('a/dr', { host: 's', subsets: [{ name: 'v1', labels: { version: 'v1' } }] }))
  t.like(backend(), { subset: 'v1', trafficPolicy: 'a/a/s.a.svc.cluster.local' })
  t.like(statusOf(mesh)['ResolvedRefs'], { status: 'True' })
})

test('a destination without a port: the only one of the service, else the one asked for', (t) => {
  const ports = [
    { name: 'http', port: 80 },
    { name: 'http-b', port: 81 },
  ]
  const mesh = Mesh.of(
    make.service('a/s', { ports }, use),
    make.service('a/one', { ports: [{ port: 9000 }] }),
    make.gateway('a/wp'),
    virtual([{ route: [to('s'), to('one')].map((each) => ({ ...each, weight: 1 })) }]),
  )
  const targets = (number: number): readonly number[] => {
    const action = routesOf(mesh, number)?.[0]?.action
    return action?.case === 'backends' ? action.value.backends.map(({ port }) => port) : []
  }
  t.deepEqual(targets(80), [80, 9000])
  t.deepEqual(targets(81), [81, 9000])
  t.like(statusOf(mesh)['ResolvedRefs'], { status: 'True' })
})

test('connections that are no HTTP: the first rule for the port; of TLS the service’s own name only', (t) => {
  const tcp = (mesh: Mesh): readonly string[] | undefined =>
    portOf(mesh)?.tcpBackends?.backends.map(({ hostname }) => hostname)
  const others = [make.service('a/x'), make.service('a/y')]
  const of = (spec: object): readonly string[] | undefined =>
    tcp(Mesh.of(...bound, ...others, make.virtualService('a/vs', { hosts: ['s'], ...spec })))
  t.is(of({}), undefined)
  t.deepEqual(of({ tcp: [{ match: [{ port: 81 }], route: [to('x')] }, { route: [to('y')] }] }), [
    'y.a.svc.cluster.local',
  ])
  t.deepEqual(of({ tls: [{ match: [{ sniHosts: ['other'] }], route: [to('x')] }], tcp: [{ route: [to('y')] }] }), [
    'y.a.svc.cluster.local',
  ])
  t.deepEqual(of({ tls: [{ match: [{ sniHosts: ['s.a.svc.cluster.local'] }], route: [to('x')] }] }), [
    'x.a.svc.cluster.local',
  ])
  t.is(of({ tcp: [{ match: [{ sourceLabels: { a: 'b' } }], route: [to('x')] }] }), undefined)
})

test('a ServiceEntry’s hosts have VirtualServices too, each its own', (t) => {
  const hosts = ['one.example', 'two.example']
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }]
  const entry = make.serviceEntry('a/e', { hosts, ports, resolution: 'STATIC', addresses: ['10.5.0.1'] }, use)
  const mesh = Mesh.of(
    entry,
    make.gateway('a/wp'),
    virtual([{ route: [to('two.example')] }], { hosts: ['two.example'] }),
  )
  const routes = hosts.map((host) => {
    const { target } = mesh.destination(`a/${host}`)?.destination ?? {}
    return target?.case === 'service' ? target.value.ports[0]?.routes?.routes.length : -1
  })
  t.deepEqual(routes, [undefined, 1])
})

test('status: no waypoint, another namespace, a host nobody has; nothing said of one for gateways only', (t) => {
  const reason = (...objects: readonly KubeObject[]): string | undefined =>
    statusOf(Mesh.of(...objects))['ResolvedWaypoints']?.reason
  t.is(reason(...bound, virtual([rule()])), 'ResolvedWaypoints')
  t.is(reason(make.service('a/s'), virtual([rule()])), 'MissingUseWaypointLabel')
  t.is(reason(make.service('a/s', {}, use), virtual([rule()])), 'WaypointIsNotReady')
  t.is(reason(virtual([rule()])), 'NoMatchingParent')
  t.is(reason(...bound, virtual([rule()], { exportTo: ['b'] })), 'NotExported')
  t.is(reason(...bound, virtual([rule()], { gateways: ['gw'] })), undefined)
  const consumer = Mesh.of(...bound, virtual([rule()], { hosts: ['s.a.svc.cluster.local'] }, 'b/vs'))
  t.is(statusOf(consumer, 'virtualService/b/vs')['ResolvedWaypoints']?.reason, 'ConsumerRoute')
})

test('what is not followed is in the log, once', (t) => {
  const logger = new RecordingLogger()
  const mesh = Mesh.of(...bound)
  using _listener = mesh.index.onStatus(logRuleProblems(logger))
  const lines = (): readonly string[] => logger.records.map(({ message }) => message)
  mesh.apply(virtual([rule()]))
  t.deepEqual(lines(), [])
  mesh.apply(virtual([rule({ later: 1 })]))
  mesh.apply(virtual([rule({ later: 1 })], {}, 'a/vs', 1))
  t.deepEqual(lines(), ['virtualService a/vs is not followed as written'])
  mesh.apply(virtual([rule()]))
  mesh.apply(virtual([rule({ later: 1 })]))
  t.is(lines().length, 2)
})

test('rules of a delegate stand in the place of the rule that delegates, and take what both take', (t) => {
  const uri = (value: string): object => ({ uri: { prefix: value } })
  const root = virtual([
    { name: 'root', match: [uri('/a')], delegate: { name: 'd', namespace: 'b' }, timeout: '3s' },
    rule({ name: 'rest' }),
  ])
  const inner = (http: readonly object[], more: object = {}): KubeObject =>
    make.virtualService('b/d', { http, ...more })
  const to = { route: [{ destination: { host: 's.a.svc.cluster.local' } }] }
  const mesh = Mesh.of(...bound, root)
  t.like(routesOf(mesh)?.[0]?.action, { case: 'fixedStatus', value: 500 })
  mesh.apply(
    inner([
      { ...to, name: 'one', match: [{ ...uri('/a/1'), headers: { x: { exact: '1' } } }, uri('/b')], timeout: '1s' },
      { ...to, name: 'nothing', match: [uri('/c')] },
      { ...to, name: 'all' },
    ]),
  )
  const seen = (): unknown =>
    routesOf(mesh)?.map(({ name, match, requestTimeoutMs }) => [name, match?.path.value, requestTimeoutMs])
  t.deepEqual(seen(), [
    ['root-one', '/a/1', 1000],
    ['root-all', '/a', 3000],
    ['rest', undefined, undefined],
  ])
  t.like(statusOf(mesh)['Accepted'], { status: 'True', reason: 'Accepted' })
  mesh.apply(inner([{ delegate: { name: 'e' } }]))
  t.regex(statusOf(mesh)['Accepted']?.message ?? '', /delegates again/)
  mesh.apply(inner([to], { hosts: ['own'] }))
  t.regex(statusOf(mesh)['Accepted']?.message ?? '', /hosts of its own/)
  mesh.apply(inner([to], { exportTo: ['.'] }))
  t.regex(statusOf(mesh)['Accepted']?.message ?? '', /not exported here/)
  mesh.delete(inner([]))
  t.like(routesOf(mesh)?.[0]?.action, { case: 'fixedStatus', value: 500 })
})

test('a waypoint of Istio 1.18, of an account, follows them too', (t) => {
  const annotations = { 'istio.io/for-service-account': 'x' }
  const mesh = Mesh.of(
    make.service('a/s', { selector: { app: 's' } }),
    make.pod('a/p', { spec: { serviceAccountName: 'x' } }, { labels: { app: 's', version: 'v1' } }),
    make.gateway('a/x', {}, { annotations }),
    make.destinationRule('a/dr', { host: 's', subsets: [{ name: 'v1', labels: { version: 'v1' } }] }),
    virtual([{ route: [to('s', { subset: 'v1' })] }]),
  )
  t.deepEqual(mesh.destination(KEY)?.audience, ['a/x'])
  const action = routesOf(mesh)?.[0]?.action
  t.is(action?.case === 'backends' ? action.value.backends[0]?.subset : undefined, 'v1')
  t.like(statusOf(mesh)['ResolvedWaypoints'], { status: 'True' })
})
