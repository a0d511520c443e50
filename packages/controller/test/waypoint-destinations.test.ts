// control-plane.md 1.4, 3.7, 4.1, 4.2: what a waypoint is told.
import { TYPE_URLS, waypointpb } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const { Protocol } = waypointpb
const KEY = 'a/s.a.svc.cluster.local'
const use = { labels: { 'istio.io/use-waypoint': 'wp' } }
const GATEWAY_API = 'gateway.networking.k8s.io'
const bound = [make.service('a/s', {}, use), make.gateway('a/wp')]
const at = (kind: string, name: string): object => ({
  group: kind.startsWith('Gateway') ? GATEWAY_API : kind === 'Service' ? '' : 'networking.istio.io',
  kind,
  name,
})
const policy = (where: string, target: object, spec: object = {}): KubeObject =>
  make.policy(where, { targetRefs: [target], rules: [{}], ...spec })

test('a bound service is for its waypoint only', (t) => {
  const found = Mesh.of(...bound).destination(KEY)
  t.deepEqual(found?.audience, ['a/wp'])
  t.like(found?.destination.target.value, { namespace: 'a', hostname: 's.a.svc.cluster.local' })
})

test('a service without a usable waypoint is no destination', (t) => {
  t.is(Mesh.of(make.service('a/s', {}, use)).destination(KEY), undefined)
  t.is(Mesh.of(make.service('a/s'), make.gateway('a/wp')).destination(KEY), undefined)
  t.is(Mesh.of(make.service('a/s', {}, use), make.gateway('a/wp', { addresses: [] })).destination(KEY), undefined)
})

test('a waypoint of another maker is told nothing', (t) => {
  const mesh = Mesh.of(...bound, make.gatewayClass('istio-waypoint', 'example.org/other'))
  t.is(mesh.destination(KEY), undefined)
  t.is(mesh.settings('a/wp'), undefined)
  mesh.apply(make.gatewayClass('istio-waypoint', 'istio.io/mesh-controller'))
  t.truthy(mesh.destination(KEY))
  t.truthy(mesh.settings('a/wp'))
})

test('ports say what they speak, UDP is left out', (t) => {
  const ports = [
    { name: 'http', port: 80 },
    { name: 'x', port: 81, appProtocol: 'kubernetes.io/h2c' },
    { name: 'grpc-web', port: 82 },
    { name: 'grpc', port: 83 },
    { name: 'tcp-db', port: 84 },
    { name: 'https', port: 85 },
    { port: 86 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ]
  const mesh = Mesh.of(make.service('a/s', { ports }, use), make.gateway('a/wp'))
  const { target } = mesh.destination(KEY)?.destination ?? {}
  t.deepEqual(target?.case === 'service' && target.value.ports.map(({ number, protocol }) => [number, protocol]), [
    [80, Protocol.HTTP],
    [81, Protocol.HTTP2],
    [82, Protocol.HTTP],
    [83, Protocol.GRPC],
    [84, Protocol.TCP],
    [85, Protocol.TLS],
    [86, Protocol.UNKNOWN],
  ])
})

test('a headless service has none', (t) => {
  const mesh = Mesh.of(make.service('a/s', { clusterIP: 'None' }, use), make.gateway('a/wp'))
  t.is(mesh.destination(KEY), undefined)
})

test('policies in force: of the class in the root, of the gateway, of the service; in their namespaces only', (t) => {
  const mesh = Mesh.of(
    make.service('a/s', {}, { labels: { ...use.labels, 'istio.io/use-waypoint-namespace': 'w' } }),
    make.gateway('w/wp', {
      spec: {
        listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: 'All' } } }],
      },
    }),
    policy('istio-system/class', at('GatewayClass', 'istio-waypoint')),
    policy('a/class', at('GatewayClass', 'istio-waypoint')),
    policy('w/gateway', at('Gateway', 'wp')),
    policy('a/gateway', at('Gateway', 'wp')),
    policy('a/service', at('Service', 's')),
    policy('w/service', at('Service', 's')),
    policy('a/entry', at('ServiceEntry', 's')),
    policy('a/elsewhere', { ...at('Service', 's'), namespace: 'b' }),
    make.policy('a/selector', { selector: { matchLabels: { app: 'one' } }, rules: [{}] }),
    make.policy('a/all', { rules: [{}] }),
  )
  t.deepEqual(mesh.destination(KEY)?.destination.authorizationPolicies, [
    'a/service',
    'istio-system/class',
    'w/gateway',
  ])
  t.deepEqual(mesh.names(TYPE_URLS.httpAuthorization), ['a/service', 'istio-system/class', 'w/gateway'])
  for (const name of ['a/service', 'istio-system/class', 'w/gateway'])
    t.deepEqual(mesh.requestPolicy(name)?.audience, ['w/wp'])
})

test('a policy of a class is for all its waypoints, one of several targets for each', (t) => {
  const mesh = Mesh.of(
    ...bound,
    make.gateway('b/other'),
    make.gateway('b/ingress', { spec: { gatewayClassName: 'istio' } }),
    policy('istio-system/class', at('GatewayClass', 'istio-waypoint')),
    policy('a/p', at('Service', 's'), { targetRefs: [at('Service', 's'), at('Gateway', 'wp2')] }),
  )
  t.deepEqual(mesh.requestPolicy('istio-system/class')?.audience, ['a/wp', 'b/other'])
  t.deepEqual(mesh.requestPolicy('a/p')?.audience, ['a/wp'])
  mesh.apply(make.gateway('a/wp2'))
  t.deepEqual(mesh.requestPolicy('a/p')?.audience, ['a/wp', 'a/wp2'])
})

test('a bound pod is a destination with what its waypoint and the class say, not what services say', (t) => {
  const mesh = Mesh.of(
    make.service('a/s', { selector: { app: 'one' } }),
    make.pod('a/p', {}, { labels: { app: 'one', 'istio.io/use-waypoint': 'wp' } }),
    make.gateway('a/wp', {}, { labels: { 'istio.io/waypoint-for': 'workload' } }),
    policy('a/gateway', at('Gateway', 'wp')),
    policy('a/service', at('Service', 's')),
  )
  const found = mesh.destination('Kubernetes//Pod/a/p')
  t.deepEqual(found?.audience, ['a/wp'])
  t.deepEqual(found?.destination.target.case, 'workload')
  t.deepEqual(found?.destination.authorizationPolicies, ['a/gateway'])
})

test('tokens are checked where a RequestAuthentication says so', (t) => {
  const covered = (...objects: readonly KubeObject[]): boolean | undefined =>
    Mesh.of(...bound, ...objects).destination(KEY)?.destination.authenticatesRequests
  t.false(covered())
  t.true(covered(make.requestAuthentication('a/r', { targetRefs: [at('Service', 's')] })))
  t.true(covered(make.requestAuthentication('a/r', { targetRef: at('Gateway', 'wp') })))
  t.true(covered(make.requestAuthentication('istio-system/r', { targetRefs: [at('GatewayClass', 'istio-waypoint')] })))
  t.false(covered(make.requestAuthentication('a/r', { selector: { matchLabels: { app: 'one' } } })))
  t.false(covered(make.requestAuthentication('b/r', { targetRefs: [at('Service', 's')] })))
})

test('a policy travels as written; what is not understood is left out and named', (t) => {
  const rules = [
    {
      from: [{ source: { principals: ['a', 'b*'], serviceAccounts: ['x', 'n/y'], notNamespaces: [7], odd: ['z'] } }],
      to: [{ operation: { methods: ['GET'], paths: ['/a/{*}'] } }, 'nonsense'],
      when: [{ key: 'request.headers[x]', values: ['1'] }, { values: ['2'] }, { key: 'source.ip' }],
    },
    'nonsense',
  ]
  const mesh = Mesh.of(...bound, policy('a/p', at('Service', 's'), { action: 'DENY', rules }))
  const { policy: found } = mesh.requestPolicy('a/p') ?? {}
  t.is(found?.action, waypointpb.HttpAuthorization_Action.DENY)
  const [first, second] = found?.rules ?? []
  t.like(first?.from[0], { principals: ['a', 'b*'], serviceAccounts: ['a/x', 'n/y'], notNamespaces: [] })
  t.like(first?.to[0], { methods: ['GET'], paths: ['/a/{*}'] })
  t.is(first?.to.length, 2)
  t.deepEqual(
    first?.when.map(({ key }) => key),
    ['request.headers[x]', 'source.ip'],
  )
  t.deepEqual(first?.unknown.toSorted(), [
    'rules[0].from[0].source.notNamespaces',
    'rules[0].from[0].source.odd',
    'rules[0].to[1].operation',
    'rules[0].when[1].key',
    'rules[0].when[2].values',
  ])
  t.deepEqual(second?.unknown, ['rules[1]'])
})

const rulesOf = (spec: object): readonly unknown[] | undefined =>
  Mesh.of(...bound, policy('a/p', at('Service', 's'), spec)).requestPolicy('a/p')?.policy.rules

test('what is not understood beside the rules never opens', (t) => {
  t.is(rulesOf({ odd: 1 })?.length, 0, 'ALLOW allows nothing')
  t.is(rulesOf({ action: 'PERMIT' })?.length, 0, 'an unknown action neither')
  t.is(rulesOf({ action: 'DENY', rules: 'all' })?.length, 1, 'DENY denies everything')
  t.is(rulesOf({ action: 'DENY', odd: 1 })?.length, 1)
})

test('settings come from the mesh and the gateway', (t) => {
  const waypoints = {
    trustDomainAliases: ['old'],
    pathNormalization: 'MERGE_SLASHES',
    accessLog: { encoding: 'JSON', format: 'f' },
    connectTimeoutMs: 7,
  } as const
  const annotations = { 'ambient.istio.io/xfcc-include-client-identity': 'true' }
  const mesh = new Mesh({ waypoints, trustDomain: 'corp' }).apply(make.gateway('a/wp', {}, { annotations }))
  t.like(mesh.settings('a/wp'), {
    namespace: 'a',
    gateway: 'wp',
    trustDomain: 'corp',
    trustDomainAliases: ['old'],
    pathNormalization: waypointpb.PathNormalization.MERGE_SLASHES,
    accessLog: { encoding: waypointpb.AccessLog_Encoding.JSON, format: 'f' },
    forwardClientIdentity: true,
    connectTimeoutMs: 7,
    rootNamespace: 'istio-system',
  })
  t.deepEqual(mesh.table.lookup(TYPE_URLS.waypointSettings, 'a/wp')?.audience, ['a/wp'])
  t.is(Mesh.of(make.gateway('a/wp')).settings('a/wp')?.accessLog, undefined)
})

test('what is named is published before who names it and goes after', (t) => {
  const mesh = Mesh.of(make.service('a/s'), make.gateway('a/wp'))
  const seen: string[] = []
  const short = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
  mesh.table.subscribe((typeUrl, { upserts, removed }) =>
    seen.push(`${short(typeUrl)} +${upserts.length} -${removed.length}`),
  )
  mesh.apply(make.service('a/s', {}, use), policy('a/p', at('Service', 's')))
  t.deepEqual(seen.splice(0), ['HttpAuthorization +1 -0', 'Destination +1 -0', 'Address +1 -0'])
  mesh.put(make.service('a/s'), true)
  mesh.put(policy('a/p', at('Service', 's')), false)
  mesh.index.flush()
  t.deepEqual(seen, ['Address +1 -0', 'Destination +0 -1', 'HttpAuthorization +0 -1'])
})
