// control-plane.md 5.3: what DestinationRules say of a service, who is told, and who is in which subset.
import { TYPE_URLS, waypointpb } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const { LoadBalancing_Algorithm: Algorithm } = waypointpb
const HOST = 's.a.svc.cluster.local'
const use = { labels: { 'istio.io/use-waypoint': 'wp' } }
const bound = [make.service('a/s', { selector: { app: 's' } }, use), make.gateway('a/wp')]
const created = (second: number): object => ({ metadata: { creationTimestamp: `2026-01-01T00:00:0${second}Z` } })
const rule = (spec: object, at = 'a/dr', second = 0): KubeObject =>
  make.destinationRule(at, { host: HOST, ...spec }, created(second))
const v = (version: string): object => ({ name: version, labels: { version } })
const podOf = (name: string, version: string): KubeObject =>
  make.pod(`a/${name}`, {}, { labels: { app: 's', version } })
const uid = (name: string): string => `Kubernetes//Pod/a/${name}`

function policyFor(mesh: Mesh): string {
  const { target } = mesh.destination(`a/${HOST}`)?.destination ?? {}
  return target?.case === 'service' ? target.value.trafficPolicy : 'no service'
}

test('a rule comes and goes, with short, whole and wildcard hosts', (t) => {
  const mesh = Mesh.of(...bound)
  t.is(policyFor(mesh), '')
  for (const host of ['s', HOST, '*.a.svc.cluster.local', '*']) {
    mesh.apply(rule({ host }))
    t.is(policyFor(mesh), `a/a/${HOST}`, host)
    t.truthy(mesh.trafficPolicy(`a/a/${HOST}`))
    mesh.delete(rule({}))
    t.is(policyFor(mesh), '')
    t.is(mesh.trafficPolicy(`a/a/${HOST}`), undefined)
  }
  mesh.apply(rule({ host: 'other' }), rule({ host: '*.b.svc.cluster.local' }, 'a/wild'))
  t.is(policyFor(mesh), '')
})

test('looked for in the waypoint’s namespace, the service’s, the root; only where exported', (t) => {
  const label = { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': 'w' }
  const spec = {
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: 'All' } } }],
  }
  const mesh = Mesh.of(make.service('a/s', {}, { labels: label }), make.gateway('w/wp', { spec }))
  mesh.apply(rule({}, 'b/elsewhere'))
  t.is(policyFor(mesh), '')
  mesh.apply(rule({}, 'istio-system/root'))
  t.is(policyFor(mesh), `istio-system/a/${HOST}`)
  mesh.apply(rule({}))
  t.is(policyFor(mesh), `a/a/${HOST}`)
  mesh.apply(rule({ exportTo: ['.'] }))
  t.is(policyFor(mesh), `istio-system/a/${HOST}`)
  mesh.apply(rule({ exportTo: ['w'] }))
  t.is(policyFor(mesh), `a/a/${HOST}`)
  mesh.apply(rule({ exportTo: ['.'] }, 'w/client'))
  t.is(policyFor(mesh), `w/a/${HOST}`)
})

test('the narrowest host of a namespace, its rules together, the older first', (t) => {
  const simple = (algorithm: string): object => ({ trafficPolicy: { loadBalancer: { simple: algorithm } } })
  const mesh = Mesh.of(
    ...bound,
    rule({ host: '*', ...simple('RANDOM'), subsets: [v('v9')] }, 'a/wild'),
    rule({ subsets: [v('v2'), { ...v('v1'), labels: { version: 'other' } }], ...simple('ROUND_ROBIN') }, 'a/young', 2),
    rule({ subsets: [v('v1')] }, 'a/old', 1),
  )
  const policy = mesh.trafficPolicy(`a/a/${HOST}`)
  t.deepEqual(
    policy?.subsets.map(({ name }) => name),
    ['v1', 'v2'],
  )
  t.is(policy?.treatment?.loadBalancing?.algorithm, Algorithm.ROUND_ROBIN)
  mesh.apply(podOf('p', 'v1'))
  t.deepEqual(mesh.subsetsOf(uid('p')), [`a/a/${HOST}/v1`])
})

test('blocks of a subset replace those above it, settings of a port inherit nothing', (t) => {
  const policy = Mesh.of(
    ...bound,
    rule({
      trafficPolicy: {
        loadBalancer: { simple: 'RANDOM' },
        connectionPool: { tcp: { maxConnections: 7 } },
        portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: 'PASSTHROUGH' } }],
      },
      subsets: [
        {
          ...v('v1'),
          trafficPolicy: {
            loadBalancer: { simple: 'ROUND_ROBIN' },
            portLevelSettings: [{ port: { number: 81 }, outlierDetection: {} }],
          },
        },
      ],
    }),
  ).trafficPolicy(`a/a/${HOST}`)
  t.like(policy?.treatment, { maxConnections: 7, loadBalancing: { algorithm: Algorithm.RANDOM } })
  t.like(policy?.ports[0], {
    port: 80,
    treatment: { maxConnections: 0, loadBalancing: { algorithm: Algorithm.PASSTHROUGH } },
  })
  const [subset] = policy?.subsets ?? []
  t.like(subset?.treatment, { maxConnections: 7, loadBalancing: { algorithm: Algorithm.ROUND_ROBIN } })
  const ports = new Map(subset?.ports.map(({ port, treatment }) => [port, treatment]))
  t.like(ports.get(80), { maxConnections: 0, loadBalancing: { algorithm: Algorithm.ROUND_ROBIN } })
  t.like(ports.get(81), {
    maxConnections: 0,
    loadBalancing: undefined,
    outlierDetection: { consecutive5xx: 5, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionPercent: 10 },
  })
})

test('what an endpoint is chosen by, and limits', (t) => {
  const of = (trafficPolicy: object): waypointpb.Treatment | undefined =>
    Mesh.of(...bound, rule({ trafficPolicy })).trafficPolicy(`a/a/${HOST}`)?.treatment
  const hash = (consistentHash: object): unknown => of({ loadBalancer: { consistentHash } })?.loadBalancing?.hashOf
  t.like(hash({ httpHeaderName: 'x-user' }), { case: 'header', value: 'x-user' })
  t.like(hash({ httpQueryParameterName: 'q' }), { case: 'queryParameter', value: 'q' })
  t.like(hash({ useSourceIp: true }), { case: 'sourceIp', value: true })
  t.like(hash({ httpCookie: { name: 'c', path: '/', ttl: '60s' } }), {
    case: 'cookie',
    value: { name: 'c', path: '/', ttlSeconds: 60 },
  })
  const passive = hash({ httpCookie: { name: 'c' } }) as { value: { ttlSeconds?: number } }
  t.is(passive.value.ttlSeconds, undefined)
  t.like(
    of({
      connectionPool: {
        tcp: { maxConnections: 1, connectTimeout: '30ms' },
        http: { http1MaxPendingRequests: 2, http2MaxRequests: 3, maxRequestsPerConnection: 4, maxRetries: 5 },
      },
    }),
    {
      maxConnections: 1,
      connectTimeoutMs: 30,
      maxPendingRequests: 2,
      maxRequests: 3,
      maxRequestsPerConnection: 4,
      maxRetries: 5,
    },
  )
  t.is(of({ tls: { mode: 'ISTIO_MUTUAL' } })?.refused, '')
  t.is(of({ tls: { mode: 'DISABLE' } })?.refused, '')
  const simple = of({
    tls: { mode: 'SIMPLE', sni: 'x.example', subjectAltNames: ['y.example'], caCertificates: 'system' },
  })
  t.like(simple, { refused: '', tls: { serverName: 'x.example', insecureSkipVerify: false } })
  t.deepEqual(simple?.tls?.subjectAltNames, ['y.example'])
  t.regex(
    of({ tls: { mode: 'SIMPLE', caCertificates: '/etc/ca.pem' } })?.refused ?? '',
    /caCertificates is not supported/,
  )
  t.regex(of({ tls: { mode: 'MUTUAL', credentialName: 'c' } })?.refused ?? '', /credentialName is not supported/)
  t.regex(of({ tls: { mode: 'LATER' } })?.refused ?? '', /LATER/)
})

test('a pod that comes or goes sends its own membership and nothing else of the subset', (t) => {
  const mesh = Mesh.of(...bound, rule({ subsets: [v('v1'), v('v2')] }), podOf('one', 'v1'), podOf('two', 'v2'))
  t.deepEqual(mesh.subsetsOf(uid('one')), [`a/a/${HOST}/v1`])
  const before = mesh.dump()
  const changed = (): readonly string[] => {
    const after = mesh.dump()
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].filter((key) => before[key] !== after[key]).sort()
  }
  mesh.apply(podOf('three', 'v1'))
  t.deepEqual(changed(), [`${TYPE_URLS.subsetMember} ${uid('three')}`, `${TYPE_URLS.address} ${uid('three')}`].sort())
  mesh.delete(podOf('three', 'v1'))
  t.deepEqual(changed(), [])
  mesh.apply(podOf('one', 'v2'))
  t.deepEqual(mesh.subsetsOf(uid('one')), [`a/a/${HOST}/v2`])
  mesh.apply(rule({ subsets: [v('v3')] }))
  t.is(mesh.subsetsOf(uid('one')), undefined)
  mesh.apply(make.service('a/s', { selector: { app: 'none' } }, use), rule({ subsets: [v('v2')] }))
  t.is(mesh.subsetsOf(uid('one')), undefined)
})

test('WorkloadEntries and endpoints written in a ServiceEntry are in subsets by their labels', (t) => {
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }]
  const hosts = ['e.example']
  const endpoints = [
    { address: 'not-an-ip', labels: { version: 'v2' } },
    { address: '10.0.0.7', labels: { version: 'v1' } },
  ]
  const mesh = Mesh.of(
    make.workloadEntry('a/we', { address: '10.0.0.9', labels: { app: 's', version: 'v1' } }),
    make.serviceEntry('a/inline', { hosts, ports, resolution: 'STATIC', endpoints }),
    ...bound,
    rule({ subsets: [v('v1')] }),
    rule({ host: 'e.example', subsets: [v('v1'), v('v2')] }, 'a/entry'),
  )
  t.deepEqual(mesh.subsetsOf('Kubernetes/networking.istio.io/WorkloadEntry/a/we'), [`a/a/${HOST}/v1`])
  t.deepEqual(mesh.subsetsOf('Kubernetes/networking.istio.io/ServiceEntry/a/inline/10.0.0.7'), ['a/a/e.example/v1'])
})

test('routes of Gateway API find the rule of their backend too', (t) => {
  const parentRefs = [{ group: '', kind: 'Service', name: 's' }]
  const route = make.httpRoute('a/r', { parentRefs, rules: [{ backendRefs: [{ name: 't', port: 80 }] }] })
  const mesh = Mesh.of(...bound, make.service('a/t'), route, rule({ host: 't' }))
  const { target } = mesh.destination(`a/${HOST}`)?.destination ?? {}
  const action = target?.case === 'service' ? target.value.ports[0]?.routes?.routes[0]?.action : undefined
  t.is(action?.case === 'backends' ? action.value.backends[0]?.trafficPolicy : '', 'a/a/t.a.svc.cluster.local')
  t.is(policyFor(mesh), '')
})

test('what is not followed is said', (t) => {
  const said = (spec: object): unknown => {
    const mesh = Mesh.of(...bound, rule(spec))
    const found = [...mesh.index.results()].find(([key]) => key === 'destinationRule/a/dr')
    return found?.[1].ruleConditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`)
  }
  t.deepEqual(said({}), ['Accepted True Accepted', 'ResolvedRefs True ResolvedRefs'])
  t.deepEqual(said({ host: 'nobody' }), ['Accepted True Accepted', 'ResolvedRefs False BackendNotFound'])
  const partly = ['Accepted True PartiallyInvalid', 'ResolvedRefs True ResolvedRefs']
  t.deepEqual(said({ trafficPolicy: { tls: { mode: 'MUTUAL' } } }), partly)
  t.deepEqual(said({ trafficPolicy: { loadBalancer: { warmup: {} } } }), partly)
  t.deepEqual(said({ trafficPolicy: { tunnel: {} } }), partly)
  t.deepEqual(said({ workloadSelector: { matchLabels: {} } }), partly)
})
