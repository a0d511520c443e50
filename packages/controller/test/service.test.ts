import { workloadpb } from '@ambit/api'
import { ipFromBytes } from '@ambit/core'
import test from 'ava'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const {
  AppProtocol,
  IPFamilies,
  LoadBalancing_HealthPolicy: Health,
  LoadBalancing_Mode: Mode,
  LoadBalancing_Scope: Scope,
} = workloadpb
const KEY = 'a/s.a.svc.cluster.local'

const compiles = test.macro((t, spec: Record<string, unknown>, expected: unknown, extra: make.Extra = {}) => {
  t.like(Mesh.of(make.service('a/s', spec, extra)).service(KEY), expected as object)
})

test(
  'a plain service',
  compiles,
  {},
  { name: 's', namespace: 'a', hostname: 's.a.svc.cluster.local', canonical: true, loadBalancing: undefined },
)
test('a headless service has no addresses', compiles, { clusterIP: 'None', clusterIPs: ['None'] }, { addresses: [] })
test(
  'local internal traffic is strict',
  compiles,
  { internalTrafficPolicy: 'Local' },
  { loadBalancing: { mode: Mode.STRICT, routingPreference: [Scope.NODE] } },
)
for (const word of ['PreferClose', 'PreferSameZone'])
  test(
    `${word} fails over by zone`,
    compiles,
    { trafficDistribution: word },
    { loadBalancing: { mode: Mode.FAILOVER, routingPreference: [Scope.NETWORK, Scope.REGION, Scope.ZONE] } },
  )
test(
  'PreferSameNode fails over by node',
  compiles,
  { trafficDistribution: 'PreferSameNode' },
  {
    loadBalancing: {
      mode: Mode.FAILOVER,
      routingPreference: [Scope.NETWORK, Scope.REGION, Scope.ZONE, Scope.SUBZONE, Scope.NODE],
    },
  },
)
test(
  'an unknown distribution is no preference',
  compiles,
  { trafficDistribution: 'Sideways' },
  { loadBalancing: undefined },
)
test(
  'the annotation is read whatever its case',
  compiles,
  {},
  { loadBalancing: { mode: Mode.FAILOVER } },
  { annotations: { 'networking.istio.io/traffic-distribution': 'preferclose' } },
)
test(
  'endpoints that are not ready may be published',
  compiles,
  { publishNotReadyAddresses: true },
  { loadBalancing: { healthPolicy: Health.ALLOW_ALL } },
)
test('both families', compiles, { ipFamilies: ['IPv4', 'IPv6'] }, { ipFamilies: IPFamilies.DUAL })
test('one family', compiles, { ipFamilies: ['IPv6'] }, { ipFamilies: IPFamilies.IPV6_ONLY })
test('no family said', compiles, {}, { ipFamilies: IPFamilies.AUTOMATIC })

const speaks = test.macro((t, port: Record<string, unknown>, expected: workloadpb.AppProtocol) => {
  const mesh = Mesh.of(make.service('a/s', { ports: [{ port: 80, ...port }] }))
  t.is(mesh.service(KEY).ports[0]?.appProtocol, expected)
})
for (const [name, expected] of [
  ['http', AppProtocol.HTTP11],
  ['http-web', AppProtocol.HTTP11],
  ['http2', AppProtocol.HTTP2],
  ['grpc', AppProtocol.GRPC],
  ['grpc-web', AppProtocol.HTTP11],
  ['grpc-api', AppProtocol.GRPC],
  ['tcp-db', AppProtocol.TCP],
  ['https', AppProtocol.TLS],
  ['tls', AppProtocol.TLS],
  ['mongo', AppProtocol.TCP],
  ['web', AppProtocol.UNKNOWN],
  ['', AppProtocol.UNKNOWN],
] as const)
  test(`a port named ${JSON.stringify(name)}`, speaks, { name }, expected)
test('appProtocol wins over the name', speaks, { name: 'http', appProtocol: 'tcp' }, AppProtocol.TCP)
test('an unknown appProtocol is unknown', speaks, { name: 'http', appProtocol: 'example.org/own' }, AppProtocol.UNKNOWN)

test('named target ports are left to the workloads', (t) => {
  const mesh = Mesh.of(make.service('a/s', { ports: [{ port: 80, targetPort: 'web' }, { port: 81 }] }))
  t.deepEqual(
    mesh.service(KEY).ports.map(({ targetPort }) => targetPort),
    [0, 81],
  )
})

test('an ExternalName service is not published', (t) => {
  t.deepEqual(Mesh.of(make.service('a/s', { type: 'ExternalName' })).names(), [])
})

test('the namespace’s distribution is inherited, the object’s wins', (t) => {
  const namespace = make.namespace('a', { annotations: { 'networking.istio.io/traffic-distribution': 'PreferClose' } })
  t.is(Mesh.of(namespace, make.service('a/s')).service(KEY).loadBalancing?.mode, Mode.FAILOVER)
  const own = make.service('a/s', {}, { annotations: { 'networking.istio.io/traffic-distribution': 'PreferSameNode' } })
  t.is(Mesh.of(namespace, own).service(KEY).loadBalancing?.routingPreference.length, 5)
})

const entry = (
  spec: Record<string, unknown>,
  extra: Parameters<typeof make.serviceEntry>[2] = {},
): ReturnType<typeof make.serviceEntry> =>
  make.serviceEntry(
    'a/se',
    { hosts: ['example.org'], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }], resolution: 'STATIC', ...spec },
    extra,
  )
const SE = 'a/example.org'

test('a ServiceEntry is one service for each host', (t) => {
  const mesh = Mesh.of(entry({ hosts: ['example.org', 'example.net'], subjectAltNames: ['spiffe://x'] }))
  t.deepEqual(mesh.names(), ['a/example.net', 'a/example.org'])
  t.like(mesh.service(SE), { name: 'se', canonical: true, subjectAltNames: ['spiffe://x'] })
})

test('its addresses may be networks; without any the allocated ones count', (t) => {
  const vips = (mesh: Mesh): unknown =>
    mesh.service(SE).addresses.map(({ address, length }) => [ipFromBytes(address), length])
  t.deepEqual(vips(Mesh.of(entry({ addresses: ['10.5.0.1', '10.6.0.0/16', '10.7.0.1/32'] }))), [
    ['10.5.0.1', undefined],
    ['10.6.0.0', 16],
    ['10.7.0.1', undefined],
  ])
  const status = {
    addresses: [
      { value: '240.240.0.1', host: 'example.org' },
      { value: '240.240.0.2', host: 'other' },
    ],
  }
  t.deepEqual(vips(Mesh.of(entry({}, { status }))), [['240.240.0.1', undefined]])
})

test('resolution NONE passes through', (t) => {
  t.like(Mesh.of(entry({ resolution: 'NONE' })).service(SE).loadBalancing, {
    mode: Mode.PASSTHROUGH,
    healthPolicy: Health.ALLOW_ALL,
  })
})

test('inline endpoints become workloads', (t) => {
  const endpoints = [
    {
      address: '10.8.0.1',
      weight: 3,
      network: 'n',
      serviceAccount: 'sa',
      labels: { app: 'db' },
      ports: { http: 8081 },
      locality: 'r/z',
    },
  ]
  const workload = Mesh.of(entry({ endpoints })).workload('Kubernetes/networking.istio.io/ServiceEntry/a/se/10.8.0.1')
  t.like(workload, {
    capacity: 3,
    network: 'n',
    serviceAccount: 'sa',
    canonicalName: 'db',
    locality: { region: 'r', zone: 'z' },
  })
  t.is(workload.services[SE]?.ports[0]?.targetPort, 8081)
})

test('a DNS entry without endpoints has its host as the one', (t) => {
  const workload = Mesh.of(entry({ resolution: 'DNS' })).workload(
    'Kubernetes/networking.istio.io/ServiceEntry/a/se/example.org',
  )
  t.like(workload, { hostname: 'example.org', addresses: [] })
})

test('workloadSelector picks pods and WorkloadEntries; ports by name, target, number', (t) => {
  const mesh = Mesh.of(
    entry({
      workloadSelector: { labels: { app: 'db' } },
      ports: [
        { number: 80, name: 'http', targetPort: 90 },
        { number: 81, name: 'web' },
      ],
    }),
    make.pod(
      'a/x',
      { spec: { containers: [{ ports: [{ name: 'web', containerPort: 91 }] }] } },
      { labels: { app: 'db' } },
    ),
    make.workloadEntry('a/vm', { address: '10.6.0.1', labels: { app: 'db' }, ports: { web: 92 } }),
  )
  const of = (uid: string): unknown => mesh.workload(uid).services[SE]?.ports.map(({ targetPort }) => targetPort)
  t.deepEqual(of('Kubernetes//Pod/a/x'), [90, 91])
  t.deepEqual(of('Kubernetes/networking.istio.io/WorkloadEntry/a/vm'), [90, 92])
})

test('of equal hostnames the Kubernetes service wins, else the oldest entry', (t) => {
  const hosts = ['s.a.svc.cluster.local']
  const own = entry({ hosts })
  const mesh = Mesh.of(make.service('a/s'), own)
  t.is(mesh.service(KEY).name, 's')
  mesh.delete(make.service('a/s'))
  t.is(mesh.service(KEY).name, 'se')
  const younger = make.serviceEntry('a/late', { hosts }, { metadata: { creationTimestamp: '2026-02-01T00:00:00Z' } })
  t.is(mesh.apply(younger).service(KEY).name, 'se')
  const elsewhere = make.serviceEntry('b/late', { hosts }, { metadata: { creationTimestamp: '2026-02-01T00:00:00Z' } })
  t.false(mesh.apply(elsewhere).service('b/s.a.svc.cluster.local').canonical)
  t.true(mesh.delete(own, younger).service('b/s.a.svc.cluster.local').canonical)
})

test('what one service publishes that is not ready says nothing of another', (t) => {
  const spec = { trafficDistribution: 'PreferClose' }
  const mesh = Mesh.of(
    make.service('a/all', { ...spec, clusterIP: '10.1.0.1', publishNotReadyAddresses: true }),
    make.service('a/s', spec),
  )
  t.like(mesh.service('a/all.a.svc.cluster.local').loadBalancing, {
    mode: Mode.FAILOVER,
    healthPolicy: Health.ALLOW_ALL,
  })
  t.like(mesh.service(KEY).loadBalancing, { mode: Mode.FAILOVER, healthPolicy: Health.ONLY_HEALTHY })
})

test('an entry in another network is published there', (t) => {
  const mesh = Mesh.of(make.workloadEntry('a/e', { address: '10.3.0.1', network: 'other' }))
  t.is(mesh.workload('Kubernetes/networking.istio.io/WorkloadEntry/a/e').network, 'other')
  t.truthy(mesh.table.lookup('type.googleapis.com/istio.workload.Address', 'other/10.3.0.1'))
})
