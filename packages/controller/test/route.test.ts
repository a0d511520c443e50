// control-plane.md 5.1: routes of a service, in order, and what their status says.
import type { waypointpb } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import fc from 'fast-check'
import { byPrecedence } from '../src/compile/route-precedence.ts'
import type { RouteParentStatus } from '../src/index/route-status.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const KEY = 'a/s.a.svc.cluster.local'
const use = { labels: { 'istio.io/use-waypoint': 'wp' } }
const parent = { group: '', kind: 'Service', name: 's' }
const bound = [make.service('a/s', {}, use), make.gateway('a/wp')]
const to = (name: string, more: object = {}): object => ({ name, port: 80, ...more })

function routesOf(mesh: Mesh, number = 80): readonly waypointpb.Route[] | undefined {
  const { target } = mesh.destination(KEY)?.destination ?? {}
  if (target?.case !== 'service') throw new Error('not a service')
  return target.value.ports.find((port) => port.number === number)?.routes?.routes
}

function statusOf(mesh: Mesh, key: string): readonly RouteParentStatus[] {
  for (const [unit, result] of mesh.index.results()) if (unit === key) return result.routeParents ?? []
  return []
}

/** The one route of one rule. */
function only(rule: object, ...others: readonly KubeObject[]): waypointpb.Route {
  const mesh = Mesh.of(...bound, make.httpRoute('a/r', { parentRefs: [parent], rules: [rule] }), ...others)
  const [route, ...more] = routesOf(mesh) ?? []
  if (route === undefined || more.length > 0) throw new Error('want one route')
  return route
}

test('without a route there is no table, with one for a port only that port has one', (t) => {
  const ports = [
    { name: 'http', port: 80 },
    { name: 'http-b', port: 81 },
  ]
  const service = make.service('a/s', { ports }, use)
  const mesh = Mesh.of(service, make.gateway('a/wp'))
  t.is(routesOf(mesh), undefined)
  const rules = [{ backendRefs: [to('s')] }]
  mesh.apply(make.httpRoute('a/r', { parentRefs: [{ ...parent, port: 81 }], rules }))
  t.is(routesOf(mesh), undefined)
  t.is(routesOf(mesh, 81)?.length, 1)
  mesh.apply(make.httpRoute('a/r', { parentRefs: [parent], rules }))
  t.is(routesOf(mesh)?.length, 1)
  mesh.delete(make.httpRoute('a/r', {}))
  t.is(routesOf(mesh, 81), undefined)
})

test('matches, header changes, rewrite, mirror, timeouts and retry arrive', (t) => {
  const route = only({
    matches: [
      {
        path: { type: 'PathPrefix', value: '/v1/' },
        method: 'POST',
        headers: [
          { name: 'X-A', value: '1' },
          { name: 'X-B', type: 'RegularExpression', value: '2.*' },
        ],
        queryParams: [{ name: 'q', value: 'v' }],
      },
    ],
    filters: [
      { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'a', value: 'b' }], remove: ['c'] } },
      { type: 'ResponseHeaderModifier', responseHeaderModifier: { add: [{ name: 'd', value: 'e' }] } },
      {
        type: 'URLRewrite',
        urlRewrite: { hostname: 'x.example', path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/v2' } },
      },
      { type: 'RequestMirror', requestMirror: { backendRef: to('s'), fraction: { numerator: 1, denominator: 4 } } },
      { type: 'RequestMirror', requestMirror: { backendRef: to('s'), percent: 10 } },
      { type: 'RequestMirror', requestMirror: { backendRef: to('s') } },
    ],
    timeouts: { request: '10s', backendRequest: '0s' },
    retry: { codes: [503], backoff: '100ms' },
    backendRefs: [to('s', { weight: 9 })],
  })
  t.is(route.name, 'a.r.0')
  t.like(route.match, { path: { case: 'pathPrefix', value: '/v1' }, method: 'POST' })
  t.deepEqual(
    route.match?.headers.map(({ name, value }) => [name, value.case, value.value]),
    [
      ['X-A', 'exact', '1'],
      ['X-B', 'regex', '2.*'],
    ],
  )
  t.like(route.match?.query[0], { name: 'q', value: { case: 'exact', value: 'v' } })
  t.like(route.requestHeaders, { set: [{ name: 'a', value: 'b' }], remove: ['c'] })
  t.like(route.responseHeaders, { add: [{ name: 'd', value: 'e' }] })
  t.like(route.rewrite, { hostname: 'x.example', path: { change: { case: 'prefix', value: '/v2' } } })
  t.deepEqual(
    route.mirrors.map(({ perMillion }) => perMillion),
    [250_000, 100_000, 1_000_000],
  )
  t.is(route.requestTimeoutMs, 10_000)
  t.is(route.backendTimeoutMs, 0)
  t.like(route.retry, { attempts: 2, codes: [503], backoffMs: 100 })
  t.like(route.action.value, {
    backends: [{ namespace: 'a', hostname: 's.a.svc.cluster.local', port: 80, weight: 9, protocol: 2, invalid: false }],
  })
})

test('a redirect needs no backend', (t) => {
  const { action } = only({
    filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', port: 8443, statusCode: 301 } }],
  })
  t.like(action, { case: 'redirect', value: { scheme: 'https', port: 8443, status: 301 } })
})

const broken = test.macro((t, rule: object) => {
  t.like(only(rule).action, { case: 'fixedStatus', value: 500 })
})
test('no backend: 500', broken, {})
test('no weight: 500', broken, { backendRefs: [to('s', { weight: 0 })] })
test('a filter that is not supported: 500', broken, { filters: [{ type: 'ExtensionRef' }], backendRefs: [to('s')] })
test('a filter of somebody else: 500', broken, { filters: [{ type: 'ExtensionRef' }], backendRefs: [to('s')] })
test('a match of a later version: 500', broken, { matches: [{ cookies: [] }], backendRefs: [to('s')] })
test('a path of an unknown type: 500', broken, {
  matches: [{ path: { type: 'X', value: '/' } }],
  backendRefs: [to('s')],
})
test('a time that is none: 500', broken, { timeouts: { request: 'long' }, backendRefs: [to('s')] })

test('a prefix loses its last slash, the root does not', (t) => {
  const path = (value: string): unknown =>
    only({ matches: [{ path: { value } }], backendRefs: [to('s')] }).match?.path.value
  t.is(path('/a/'), '/a')
  t.is(path('/'), '/')
})

const grpc = test.macro((t, method: object | undefined, expected: object | undefined) => {
  const rule = { ...(method && { matches: [{ method }] }), backendRefs: [to('s')] }
  const mesh = Mesh.of(...bound, make.grpcRoute('a/r', { parentRefs: [parent], rules: [rule] }))
  const { case: kind, value } = routesOf(mesh)?.[0]?.match?.path ?? {}
  t.deepEqual(kind === undefined ? undefined : { [kind]: value }, expected)
})
test('gRPC: everything', grpc, undefined, undefined)
test('gRPC: a method', grpc, { service: 'p.S', method: 'M' }, { exactPath: '/p.S/M' })
test('gRPC: a service', grpc, { service: 'p.S' }, { pathPrefix: '/p.S' })
test('gRPC: a method of any service', grpc, { method: 'M.x' }, { pathRegex: String.raw`/[^/]+/M\.x` })
test(
  'gRPC: expressions',
  grpc,
  { type: 'RegularExpression', service: 'a|b', method: 'M' },
  { pathRegex: '/(?:a|b)/(?:M)' },
)

test('routes of several objects are one list, in Gateway API’s order', (t) => {
  const rule = (match: object): object => ({ matches: [match], backendRefs: [to('s')] })
  const route = (name: string, created: string, ...matches: readonly object[]): KubeObject =>
    make.httpRoute(
      `a/${name}`,
      { parentRefs: [parent], rules: matches.map(rule) },
      { metadata: { creationTimestamp: created } },
    )
  const [early, late] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z']
  const h = (n: number): object[] => Array.from({ length: n }, (_, i) => ({ name: `h${i}`, value: 'v' }))
  const mesh = Mesh.of(
    ...bound,
    route(
      'one',
      late,
      { path: { value: '/' } },
      { path: { value: '/long' } },
      { path: { type: 'RegularExpression', value: '/.*' } },
      { path: { value: '/' }, headers: h(1) },
      { path: { value: '/' }, headers: h(2) },
      { path: { value: '/' }, method: 'GET' },
      { path: { value: '/' }, queryParams: h(1) },
      { path: { type: 'Exact', value: '/x' } },
    ),
    route('zwo', early, { path: { value: '/' } }),
    route('three', late, { path: { value: '/' } }),
  )
  t.deepEqual(
    routesOf(mesh)?.map(({ name }) => name),
    ['a.one.7', 'a.one.1', 'a.one.5', 'a.one.4', 'a.one.3', 'a.one.6', 'a.one.2', 'a.zwo.0', 'a.one.0', 'a.three.0'],
  )
})

test('a route without rules routes nothing', (t) => {
  const empty = make.grpcRoute('a/empty', { parentRefs: [parent] })
  const mesh = Mesh.of(...bound, empty)
  t.is(routesOf(mesh), undefined)
  mesh.apply(make.grpcRoute('a/r', { parentRefs: [parent], rules: [{ backendRefs: [to('s')] }] }))
  t.deepEqual(
    routesOf(mesh)?.map(({ name }) => name),
    ['a.r.0'],
  )
})

test('the order is a total one', (t) => {
  const ranked = fc.record({
    route: fc.record({
      kind: fc.constantFrom('HTTPRoute' as const, 'GRPCRoute' as const),
      namespace: fc.constantFrom('a', 'b'),
      name: fc.constantFrom('x', 'y'),
      createdMs: fc.nat(1),
    }),
    rule: fc.nat(1),
    index: fc.nat(1),
    match: fc.record({
      path: fc.option(
        fc.record({ kind: fc.constantFrom('exact', 'prefix', 'regex'), value: fc.constantFrom('/', '/aa', '/bb') }),
        { nil: undefined },
      ),
      method: fc.constantFrom('', 'GET'),
      headers: fc.constant([]),
      query: fc.constant([]),
    }),
  })
  fc.assert(
    fc.property(ranked, ranked, ranked, (a, b, c) => {
      t.is(Math.sign(byPrecedence(a, b)), 0 - Math.sign(byPrecedence(b, a)))
      if (byPrecedence(a, b) <= 0 && byPrecedence(b, c) <= 0) t.true(byPrecedence(a, c) <= 0)
    }),
  )
})

const refers = test.macro(
  (t, ref: object, objects: readonly KubeObject[], expected: { reason?: string; backend: object }) => {
    const mesh = Mesh.of(
      ...bound,
      make.httpRoute('a/r', { parentRefs: [parent], rules: [{ backendRefs: [ref, to('s')] }] }),
      ...objects,
    )
    const [route] = routesOf(mesh) ?? []
    t.like(route?.action.case === 'backends' && route.action.value.backends[0], expected.backend)
    const resolved = statusOf(mesh, 'httpRoute/a/r')[0]?.conditions.find(({ type }) => type === 'ResolvedRefs')
    t.is(resolved?.status, expected.reason === undefined ? 'True' : 'False')
    t.is(resolved?.reason, expected.reason ?? 'ResolvedRefs')
  },
)
const invalid = (reason: string): { reason: string; backend: object } => ({
  reason,
  backend: { invalid: true, weight: 1, hostname: '' },
})
const inB = to('x', { namespace: 'b' })
const grant = (from: string, name?: string, kind = 'HTTPRoute'): KubeObject =>
  make.referenceGrant('b/g', {
    from: [{ group: 'gateway.networking.k8s.io', kind, namespace: from }],
    to: [{ group: '', kind: 'Service', ...(name === undefined ? {} : { name }) }],
  })
const granted = { backend: { namespace: 'b', hostname: 'x.b.svc.cluster.local', invalid: false } }
test('a backend that is not there', refers, to('none'), [], invalid('BackendNotFound'))
test('a port that is not there', refers, { name: 's', port: 99 }, [], invalid('BackendNotFound'))
test('an alias of DNS', refers, to('x'), [make.service('a/x', { type: 'ExternalName' })], invalid('BackendNotFound'))
test('a kind that is none', refers, to('s', { kind: 'Pod' }), [], invalid('InvalidKind'))
test('a group that is none', refers, to('s', { group: 'example.org' }), [], invalid('InvalidKind'))
test('another namespace without a grant', refers, inB, [make.service('b/x')], invalid('RefNotPermitted'))
test('with a grant', refers, inB, [make.service('b/x'), grant('a')], granted)
test('with a grant for the name', refers, inB, [make.service('b/x'), grant('a', 'x')], granted)
test('with a grant for another name', refers, inB, [make.service('b/x'), grant('a', 'y')], invalid('RefNotPermitted'))
test('with a grant for others', refers, inB, [make.service('b/x'), grant('c')], invalid('RefNotPermitted'))
test(
  'with a grant for another kind',
  refers,
  inB,
  [make.service('b/x'), grant('a', 'x', 'GRPCRoute')],
  invalid('RefNotPermitted'),
)
test('a filter at a backend that is not supported', refers, to('s', { filters: [{ type: 'CORS', cors: {} }] }), [], {
  reason: 'UnsupportedValue',
  backend: { invalid: true },
})
test(
  'a hostname of a ServiceEntry',
  refers,
  { group: 'networking.istio.io', kind: 'Hostname', name: 'example.org', port: 443 },
  [make.serviceEntry('b/e', { hosts: ['example.org'], ports: [{ number: 443, name: 'tls', protocol: 'TLS' }] })],
  { backend: { namespace: 'b', hostname: 'example.org', port: 443, protocol: 5 } },
)

test('only routes of the service’s and the waypoint’s namespaces count', (t) => {
  const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: 'All' } } }]
  const mesh = Mesh.of(
    make.service('a/s', {}, { labels: { ...use.labels, 'istio.io/use-waypoint-namespace': 'w' } }),
    make.gateway('w/wp', { spec: { listeners } }),
    ...['a', 'w', 'c'].map((namespace) =>
      make.httpRoute(`${namespace}/r`, {
        parentRefs: [{ ...parent, namespace: 'a' }],
        rules: [{ filters: [{ type: 'RequestRedirect' }] }],
      }),
    ),
  )
  t.deepEqual(
    routesOf(mesh)?.map(({ name }) => name),
    ['a.r.0', 'w.r.0'],
  )
  const [consumer] = statusOf(mesh, 'httpRoute/c/r')
  t.like(consumer?.conditions[2], { type: 'ResolvedWaypoints', status: 'False', reason: 'ConsumerRoute' })
})

const says = test.macro(
  (t, objects: readonly KubeObject[], parentRef: object, expected: readonly (readonly [string, string, RegExp])[]) => {
    const rules = [{ backendRefs: [to('s')] }]
    const mesh = Mesh.of(...objects, make.httpRoute('a/r', { parentRefs: [parentRef], rules }))
    const [first] = statusOf(mesh, 'httpRoute/a/r')
    t.deepEqual(
      first?.conditions.map(({ status, reason }) => [status, reason]),
      expected.map(([status, reason]) => [status, reason]),
    )
    for (const [i, [, , message]] of expected.entries()) t.regex(first?.conditions[i]?.message ?? '', message)
  },
)
const fine = ['True', 'Accepted', /^Route was valid$/] as const
const found = ['True', 'ResolvedRefs', /^All references resolved$/] as const
test('all is well', says, bound, parent, [fine, found, ['True', 'ResolvedWaypoints', /^All waypoints resolved$/]])
test('no such service', says, [], parent, [
  ['False', 'NoMatchingParent', /^parent not found$/],
  ['False', 'BackendNotFound', /Service a\/s was not found/],
  ['False', 'NoMatchingParent', /^parent not found$/],
])
test('no such port', says, bound, { ...parent, port: 99 }, [
  ['False', 'NoMatchingParent', /port 99 not found/],
  found,
  ['True', 'ResolvedWaypoints', /./],
])
test('nobody asked for a waypoint', says, [make.service('a/s')], parent, [
  fine,
  found,
  [
    'False',
    'MissingUseWaypointLabel',
    /^istio\.io\/use-waypoint label missing from parent and parent namespace; in ambient mode, route will not be respected$/,
  ],
])
test('the waypoint is not ready', says, [make.service('a/s', {}, use)], parent, [
  fine,
  found,
  ['False', 'WaypointIsNotReady', /"a\/wp" is not ready/],
])

test('a route that is not supported says so, one at a gateway is somebody else’s', (t) => {
  const spec = { parentRefs: [parent, { name: 'g' }], rules: [{ filters: [{ type: 'ExtensionRef' }] }] }
  const parents = statusOf(Mesh.of(...bound, make.httpRoute('a/r', spec)), 'httpRoute/a/r')
  t.is(parents.length, 1)
  t.like(parents[0]?.conditions[0], { status: 'False', reason: 'UnsupportedValue' })
  t.regex(parents[0]?.conditions[0]?.message ?? '', /rules\[0\]\.filters\[0\]: ExtensionRef is not supported/)
})

test('the status follows what the route refers to, whatever comes and goes first', (t) => {
  const mesh = Mesh.of(make.httpRoute('a/r', { parentRefs: [parent], rules: [{ backendRefs: [inB] }] }))
  const reasons = (): unknown => statusOf(mesh, 'httpRoute/a/r')[0]?.conditions.map(({ reason }) => reason)
  t.deepEqual(reasons(), ['NoMatchingParent', 'RefNotPermitted', 'NoMatchingParent'])
  mesh.apply(make.service('b/x'), grant('a'))
  t.deepEqual(reasons(), ['NoMatchingParent', 'ResolvedRefs', 'NoMatchingParent'])
  mesh.apply(...bound)
  t.deepEqual(reasons(), ['Accepted', 'ResolvedRefs', 'ResolvedWaypoints'])
  mesh.delete(make.service('a/s'), grant('a'))
  t.deepEqual(reasons(), ['NoMatchingParent', 'RefNotPermitted', 'NoMatchingParent'])
})
