// What Gateways of class istio become: settings of the gateway, keys, conditions of listeners and routes.
import { TYPE_URLS, waypointpb } from '@ambit/api'
import { CertificateAuthority } from '@ambit/identity'
import type { KubeObject } from '@ambit/kube'
import { fromBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { decodeWaypointDefaults } from '../src/mesh/waypoint-defaults.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

type Fields = Readonly<Record<string, unknown>>

const material = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
const encode = (text: string): string => Buffer.from(text).toString('base64')
const PAIR = { 'tls.crt': encode(material.caCertPem), 'tls.key': encode(material.caKeyPem) }

const secret = (at: string, data: Fields = PAIR): KubeObject => {
  const [namespace, name = ''] = at.split('/')
  return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, data } as KubeObject
}
const router = (at: string, labels: Readonly<Record<string, string>> = {}): KubeObject =>
  make.pod(at, { spec: { containers: [{ args: ['proxy', 'router'] }] } }, { labels })
const gatewayPod = (gateway: string): KubeObject =>
  router(`${gateway}-istio-1`, { 'gateway.networking.k8s.io/gateway-name': gateway.split('/')[1] ?? '' })
const ingress = (at: string, listeners: readonly Fields[], spec: Fields = {}, extra: make.Extra = {}): KubeObject =>
  make.gateway(at, { spec: { gatewayClassName: 'istio', listeners, ...spec }, addresses: [] }, extra)
const HTTP = { name: 'http', port: 80, protocol: 'HTTP' }
const HTTPS = { name: 'https', port: 443, protocol: 'HTTPS', tls: { certificateRefs: [{ name: 'cert' }] } }
const route = (at: string, spec: Fields, extra: make.Extra = {}): KubeObject =>
  make.httpRoute(
    at,
    { parentRefs: [{ name: 'gw' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }], ...spec },
    extra,
  )
const web = make.service('shop/web')

/** `port hostnames tls?: host -> routes`, comparable. */
function listeners(mesh: Mesh, name = 'shop/gw'): readonly string[] {
  return (mesh.settings(name)?.listeners ?? []).map(
    ({ name: at, port, hostnames, tls, virtualHosts, httpsRedirect }) => {
      const secured =
        tls === undefined
          ? ''
          : ` tls(${tls.credentials.join()} ${tls.clientCertificates} ${tls.clientAuthorities.join()})`
      const hosts = virtualHosts.map(
        (host) =>
          `${host.hostnames.join('|')}=>${(host.routes?.routes ?? []).map((one) => `${one.name}${spelled(one.match)}`).join()}`,
      )
      return `${at} ${port} [${hostnames.join()}]${secured}${httpsRedirect ? ' redirect' : ''} ${hosts.join(' ')}`.trim()
    },
  )
}

function spelled(match: waypointpb.RouteMatch | undefined): string {
  return match?.path.value === undefined ? '' : ` ${match.path.value}`
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

function said(conditions: readonly Condition[]): readonly string[] {
  return conditions.map(({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`)
}

/** Of each listener of the Gateway what is not as it should be, and how many routes it has. */
function status(mesh: Mesh, at = 'shop/gw'): Readonly<Record<string, unknown>> {
  const outcomes = mesh.index.resultOf(`gateway/${at}`)?.listeners ?? []
  return Object.fromEntries(
    outcomes.map(({ name, attachedRoutes, supportedKinds, conditions }) => [
      name,
      [
        attachedRoutes,
        supportedKinds.map(({ kind }) => kind).join(),
        ...said(conditions.filter(({ type, status: value }) => (type === 'Conflicted') === (value === 'True'))),
      ],
    ]),
  )
}

function parents(mesh: Mesh, at: string): readonly (readonly string[])[] {
  return (mesh.index.resultOf(`httpRoute/${at}`)?.routeParents ?? []).map(({ conditions }) => said(conditions))
}

const ATTACHED = [
  'Accepted True Accepted: Route was valid',
  'ResolvedRefs True ResolvedRefs: All references resolved',
  'ResolvedWaypoints True ResolvedWaypoints: All waypoints resolved',
]

test('a gateway is told of its listeners and routes when there is a pod of it, for its pods alone', (t) => {
  const objects = [ingress('shop/gw', [HTTP]), route('shop/r', {}), web]
  const mesh = Mesh.of(...objects)
  t.is(mesh.settings('shop/gw'), undefined)
  t.deepEqual(status(mesh), { http: [1, 'HTTPRoute,GRPCRoute'] })
  mesh.apply(gatewayPod('shop/gw'))
  t.deepEqual(listeners(mesh), ['shop.gw.http 80 [] *=>shop.r.0 /'])
  t.deepEqual(mesh.table.lookup(TYPE_URLS.waypointSettings, 'shop/gw')?.audience, ['shop/gw'])
  t.deepEqual(parents(mesh, 'shop/r'), [ATTACHED])
  mesh.delete(route('shop/r', {}))
  t.deepEqual(listeners(mesh), ['shop.gw.http 80 []'])
  t.deepEqual(status(mesh), { http: [0, 'HTTPRoute,GRPCRoute'] })
  mesh.delete(gatewayPod('shop/gw'))
  t.is(mesh.settings('shop/gw'), undefined)
})

const hosts = test.macro({
  exec(t, listener: string, route_: readonly string[], expected: string) {
    const mesh = Mesh.of(
      ingress('shop/gw', [{ ...HTTP, ...(listener === '' ? {} : { hostname: listener }) }]),
      route('shop/r', { hostnames: route_ }),
      web,
      gatewayPod('shop/gw'),
    )
    const [one] = mesh.settings('shop/gw')?.listeners ?? []
    t.is(one?.virtualHosts.flatMap(({ hostnames }) => hostnames).join(), expected)
    const [verdict] = parents(mesh, 'shop/r')[0] ?? []
    if (expected === '')
      t.is(verdict, `Accepted False NoMatchingListenerHostname: no hostnames matched parent hostname "${listener}"`)
    else t.is(verdict, ATTACHED[0])
  },
  title: (_, listener: string, names: readonly string[]) =>
    `hosts: ${listener || 'every'} and ${names.join() || 'every'}`,
})
test(hosts, '', [], '*')
test(hosts, '', ['a.example.com'], 'a.example.com')
test(hosts, 'a.example.com', [], 'a.example.com')
test(hosts, 'a.example.com', ['b.example.com'], '')
test(hosts, 'a.example.com', ['*.example.com', 'b.example.com'], 'a.example.com')
test(hosts, '*.example.com', ['a.b.example.com', 'example.com', 'a.example.org'], 'a.b.example.com')
test(hosts, '*.example.com', ['*.b.example.com', '*.com'], '*.b.example.com,*.example.com')
test(hosts, '*.example.com', ['example.com'], '')

test('routes of one host stand in Gateway API’s order, whoever wrote them; hosts with the same routes go together', (t) => {
  const path = (type: string, value: string): Fields => ({
    matches: [{ path: { type, value } }],
    backendRefs: [{ name: 'web', port: 80 }],
  })
  const mesh = Mesh.of(
    ingress('shop/gw', [HTTP]),
    route('shop/short', { hostnames: ['a', 'b'], rules: [path('PathPrefix', '/x')] }),
    route('shop/long', { hostnames: ['b', 'a'], rules: [path('PathPrefix', '/x/y')] }),
    route('shop/exact', { hostnames: ['b'], rules: [path('Exact', '/x')] }),
    web,
    gatewayPod('shop/gw'),
  )
  t.deepEqual(listeners(mesh), [
    'shop.gw.http 80 [] a=>shop.long.0 /x/y,shop.short.0 /x b=>shop.exact.0 /x,shop.long.0 /x/y,shop.short.0 /x',
  ])
})

test('two listeners take a route by section, by port, or both', (t) => {
  const second = { ...HTTP, name: 'other', port: 8080 }
  const mesh = Mesh.of(
    ingress('shop/gw', [HTTP, second]),
    route('shop/both', {}),
    route('shop/section', { parentRefs: [{ name: 'gw', sectionName: 'other' }] }),
    route('shop/port', { parentRefs: [{ name: 'gw', port: 80 }] }),
    route('shop/none', { parentRefs: [{ name: 'gw', sectionName: 'absent' }] }),
    route('shop/no-port', { parentRefs: [{ name: 'gw', port: 81 }] }),
    web,
    gatewayPod('shop/gw'),
  )
  t.deepEqual(status(mesh), { http: [2, 'HTTPRoute,GRPCRoute'], other: [2, 'HTTPRoute,GRPCRoute'] })
  t.is(parents(mesh, 'shop/both')[0]?.[0], 'Accepted True Accepted: Route was valid, bound to 2 parents')
  t.is(parents(mesh, 'shop/section')[0]?.[0], ATTACHED[0])
  t.is(parents(mesh, 'shop/none')[0]?.[0], 'Accepted False NoMatchingParent: sectionName "absent" not found')
  t.is(parents(mesh, 'shop/no-port')[0]?.[0], 'Accepted False NoMatchingParent: port 81 not found')
})

const from = test.macro({
  exec(t, namespaces: Fields, labels: Readonly<Record<string, string>>, allowed: boolean) {
    const mesh = Mesh.of(
      make.namespace('other', { labels }),
      ingress('shop/gw', [{ ...HTTP, allowedRoutes: { namespaces } }]),
      route('other/r', { parentRefs: [{ name: 'gw', namespace: 'shop' }] }),
      make.service('other/web'),
      gatewayPod('shop/gw'),
    )
    t.deepEqual(status(mesh)['http'], [allowed ? 1 : 0, 'HTTPRoute,GRPCRoute'])
    t.is(
      parents(mesh, 'other/r')[0]?.[0],
      allowed ? ATTACHED[0] : 'Accepted False NotAllowedByListeners: namespace "other" is not allowed by the parent',
    )
    // The namespace's labels decide again when they change.
    mesh.apply(make.namespace('other', { labels: { team: 'in' } }))
    t.deepEqual(status(mesh)['http'], [allowed || namespaces['from'] === 'Selector' ? 1 : 0, 'HTTPRoute,GRPCRoute'])
  },
  title: (_, namespaces, labels) => `routes of another namespace: ${JSON.stringify([namespaces, labels])}`,
})
test(from, { from: 'Same' }, {}, false)
test(from, {}, {}, false)
test(from, { from: 'All' }, {}, true)
test(from, { from: 'Selector', selector: { matchLabels: { team: 'in' } } }, { team: 'in' }, true)
test(from, { from: 'Selector', selector: { matchLabels: { team: 'in' } } }, { team: 'out' }, false)

test('kinds that a listener does not allow are not attached, and kinds nobody knows are named', (t) => {
  const kinds = [{ kind: 'GRPCRoute' }]
  const mesh = Mesh.of(ingress('shop/gw', [{ ...HTTP, allowedRoutes: { kinds } }]), route('shop/r', {}), web)
  t.deepEqual(status(mesh), { http: [0, 'GRPCRoute'] })
  t.is(parents(mesh, 'shop/r')[0]?.[0], 'Accepted False NotAllowedByListeners: kind HTTPRoute is not allowed')
  mesh.apply(ingress('shop/gw', [{ ...HTTP, allowedRoutes: { kinds: [{ kind: 'HTTPRoute' }, { kind: 'No' }] } }]))
  t.deepEqual(status(mesh), {
    http: [1, 'HTTPRoute', 'ResolvedRefs False InvalidRouteKinds: Invalid route kinds'],
  })
})

const refused = test.macro({
  exec(t, listeners_: readonly Fields[], expected: Readonly<Record<string, readonly string[]>>) {
    const mesh = Mesh.of(ingress('shop/gw', listeners_), gatewayPod('shop/gw'), secret('shop/cert'))
    const problems = Object.fromEntries(
      Object.entries(status(mesh)).map(([name, lines]) => [name, (lines as string[]).slice(2)]),
    )
    t.deepEqual(problems, expected)
    const served = Object.entries(expected).filter(([, lines]) => lines.length === 0)
    t.deepEqual(
      (mesh.settings('shop/gw')?.listeners ?? []).map(({ name }) => name),
      served.map(([name]) => `shop.gw.${name}`),
    )
  },
  title: (title = '') => `listeners: ${title}`,
})
test(
  'of a protocol that is not served',
  refused,
  [
    { ...HTTP, protocol: 'TCP' },
    { ...HTTP, name: 'ok', port: 81 },
  ],
  {
    http: [
      'Accepted False UnsupportedProtocol: protocol "TCP" is unsupported',
      'Programmed False Invalid: protocol "TCP" is unsupported',
    ],
    ok: [],
  },
)
test('in lower case', refused, [{ ...HTTP, protocol: 'http' }], {
  http: [
    'Accepted False UnsupportedProtocol: protocol "http" is unsupported. hint: "HTTP" (uppercase) may be supported',
    'Programmed False Invalid: protocol "http" is unsupported. hint: "HTTP" (uppercase) may be supported',
  ],
})
test('of two protocols on one port', refused, [HTTP, { ...HTTPS, port: 80 }], {
  http: [
    'Accepted False ProtocolConflict: listener https has protocol HTTPS on the same port',
    'Conflicted True ProtocolConflict: listener https has protocol HTTPS on the same port',
    'Programmed False Invalid: listener https has protocol HTTPS on the same port',
  ],
  https: [
    'Accepted False ProtocolConflict: listener http has protocol HTTP on the same port',
    'Conflicted True ProtocolConflict: listener http has protocol HTTP on the same port',
    'Programmed False Invalid: listener http has protocol HTTP on the same port',
  ],
})
test(
  'of one hostname twice',
  refused,
  [
    { ...HTTP, hostname: 'a' },
    { ...HTTP, name: 'two', hostname: 'a' },
    { ...HTTP, name: 'b', hostname: 'b' },
  ],
  {
    http: [
      'Accepted False HostnameConflict: listener two has the same port and hostname',
      'Conflicted True HostnameConflict: listener two has the same port and hostname',
      'Programmed False Invalid: listener two has the same port and hostname',
    ],
    two: [
      'Accepted False HostnameConflict: listener http has the same port and hostname',
      'Conflicted True HostnameConflict: listener http has the same port and hostname',
      'Programmed False Invalid: listener http has the same port and hostname',
    ],
    b: [],
  },
)
test('with TLS', refused, [HTTPS], { https: [] })
const BAD_TLS = 'Programmed False Invalid: Bad TLS configuration'
test('without a certificate', refused, [{ ...HTTPS, tls: {} }], {
  https: [BAD_TLS, 'ResolvedRefs False InvalidCertificateRef: a certificate reference is required to terminate TLS'],
})
test(
  'with a certificate of another kind',
  refused,
  [{ ...HTTPS, tls: { certificateRefs: [{ kind: 'Own', name: 'cert' }] } }],
  {
    https: [
      BAD_TLS,
      'ResolvedRefs False InvalidCertificateRef: invalid certificate reference core/Own/cert.shop, only secret is allowed',
    ],
  },
)
test(
  'with a certificate of another namespace',
  refused,
  [{ ...HTTPS, tls: { certificateRefs: [{ namespace: 'safe', name: 'cert' }] } }],
  {
    https: [
      BAD_TLS,
      'ResolvedRefs False RefNotPermitted: certificateRef safe/cert not accessible to a Gateway in namespace "shop" (missing a ReferenceGrant?)',
    ],
  },
)
test('that would not end TLS', refused, [{ ...HTTPS, tls: { mode: 'Passthrough' } }], {
  https: [
    'Accepted False UnsupportedValue: tls.mode Passthrough is not supported for protocol HTTPS',
    'Programmed False Invalid: tls.mode Passthrough is not supported for protocol HTTPS',
  ],
})

const credential = (
  mesh: Mesh,
  name: string,
): { readonly audience: unknown; readonly message: waypointpb.Credential } | undefined => {
  const found = mesh.table.lookup(TYPE_URLS.credential, name)
  return found && { audience: found.audience, message: fromBinary(waypointpb.CredentialSchema, found.bytes) }
}

test('a Secret is asked for by name, goes to the gateways whose listeners name it, and leaves with them', (t) => {
  const wanted: string[][] = []
  const mesh = new Mesh()
  mesh.index.onCredentials((names) => void wanted.push([...names].sort()))
  mesh.apply(ingress('shop/gw', [HTTPS]), gatewayPod('shop/gw'), secret('shop/cert'), secret('shop/other'))
  t.deepEqual(wanted, [[], ['shop/cert']])
  const sent = credential(mesh, 'shop/cert')
  t.deepEqual(sent?.audience, ['shop/gw'])
  t.is(Buffer.from(sent?.message.privateKeyPem ?? []).toString(), material.caKeyPem)
  t.is(credential(mesh, 'shop/other'), undefined)
  t.deepEqual(listeners(mesh), ['shop.gw.https 443 [] tls(shop/cert 0 )'])
  mesh.apply(ingress('shop/second', [HTTPS]), gatewayPod('shop/second'))
  t.deepEqual(credential(mesh, 'shop/cert')?.audience, ['shop/gw', 'shop/second'])
  mesh.delete(ingress('shop/gw', [HTTPS]))
  t.deepEqual(credential(mesh, 'shop/cert')?.audience, ['shop/second'])
  mesh.delete(gatewayPod('shop/second'))
  t.is(credential(mesh, 'shop/cert'), undefined)
})

test('nothing is said of a listener while its Secret is being looked for', (t) => {
  const mesh = Mesh.of(ingress('shop/gw', [HTTPS]), gatewayPod('shop/gw'))
  t.is(mesh.index.resultOf('gateway/shop/gw')?.listeners, undefined)
  t.deepEqual(mesh.settings('shop/gw')?.listeners, [])
  mesh.apply(secret('shop/cert'))
  t.deepEqual(status(mesh), { https: [0, 'HTTPRoute,GRPCRoute'] })
  t.is(mesh.settings('shop/gw')?.listeners.length, 1)
})

test('what is in a Secret decides', (t) => {
  const mesh = Mesh.of(ingress('shop/gw', [HTTPS]), gatewayPod('shop/gw'))
  const other = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  const cases: readonly (readonly [Fields, string | undefined])[] = [
    [PAIR, undefined],
    [{ cert: PAIR['tls.crt'], key: PAIR['tls.key'] }, undefined],
    [{}, 'it has no certificate and key: expected tls.crt and tls.key'],
    [{ ...PAIR, 'tls.crt': encode('nothing') }, 'tls.crt is malformed: no certificate in PEM was found'],
    [{ ...PAIR, 'tls.key': encode('nothing') }, 'the key is malformed'],
    [{ ...PAIR, 'tls.key': encode(other.caKeyPem) }, 'the key is not that of the certificate'],
    [{ ...PAIR, 'tls.crt': encode('x'.repeat(300_000)) }, 'tls.crt is above 262144 bytes'],
  ]
  for (const [data, problem] of cases) {
    mesh.apply(secret('shop/cert', data))
    const lines = (status(mesh)['https'] as string[]).slice(2)
    if (problem === undefined) t.deepEqual(lines, [])
    else
      t.deepEqual(lines, [
        BAD_TLS,
        `ResolvedRefs False InvalidCertificateRef: invalid certificate reference core/Secret/cert.shop, ${problem}`,
      ])
    t.is(credential(mesh, 'shop/cert') === undefined, problem !== undefined)
    t.false(JSON.stringify(status(mesh)).includes('PRIVATE'))
  }
})

test('a Secret of another namespace needs its ReferenceGrant', (t) => {
  const tls = { certificateRefs: [{ name: 'cert', namespace: 'safe' }] }
  const grant = (to: Fields): KubeObject =>
    make.referenceGrant('safe/g', {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'shop' }],
      to: [to],
    })
  const mesh = Mesh.of(ingress('shop/gw', [{ ...HTTPS, tls }]), gatewayPod('shop/gw'), secret('safe/cert'))
  t.is(credential(mesh, 'safe/cert'), undefined)
  mesh.apply(grant({ group: '', kind: 'Secret', name: 'other' }))
  t.is(credential(mesh, 'safe/cert'), undefined)
  mesh.apply(grant({ group: '', kind: 'Secret' }))
  t.deepEqual(credential(mesh, 'safe/cert')?.audience, ['shop/gw'])
  t.deepEqual(listeners(mesh), ['shop.gw.https 443 [] tls(safe/cert 0 )'])
  mesh.delete(grant({}))
  t.is(credential(mesh, 'safe/cert'), undefined)
  t.deepEqual(listeners(mesh), [])
})

test('certificates of clients: by the Secret’s own CA, else the one beside it', (t) => {
  const options = { 'gateway.istio.io/tls-terminate-mode': 'MUTUAL' }
  const tls = { ...HTTPS.tls, options }
  const ca = { 'ca.crt': encode(material.caCertPem) }
  const mesh = Mesh.of(
    ingress('shop/gw', [{ ...HTTPS, tls }]),
    gatewayPod('shop/gw'),
    secret('shop/cert', { ...PAIR, ...ca }),
  )
  t.deepEqual(listeners(mesh), ['shop.gw.https 443 [] tls(shop/cert 2 shop/cert)'])
  mesh.apply(secret('shop/cert'), secret('shop/cert-cacert', { cacert: ca['ca.crt'] }))
  t.deepEqual(listeners(mesh), ['shop.gw.https 443 [] tls(shop/cert 2 shop/cert-cacert)'])
  t.is(credential(mesh, 'shop/cert-cacert')?.message.privateKeyPem.length, 0)
  mesh.apply(secret('shop/cert-cacert', {}))
  t.deepEqual(listeners(mesh), [])
  t.is(
    (status(mesh)['https'] as string[])[3],
    'ResolvedRefs False InvalidCertificateRef: no certificates to check those of clients with: secret shop/cert-cacert: it has no ca.crt',
  )
})

test('backends: not found, not permitted, of no kind', (t) => {
  const ref = (backend: Fields): Fields => ({ rules: [{ backendRefs: [backend] }] })
  const mesh = Mesh.of(
    ingress('shop/gw', [HTTP]),
    route('shop/missing', ref({ name: 'nobody', port: 80 })),
    route('shop/foreign', ref({ name: 'web', namespace: 'other', port: 80 })),
    route('shop/kind', ref({ kind: 'Bucket', name: 'web', port: 80 })),
    make.service('other/web'),
    gatewayPod('shop/gw'),
  )
  const resolved = (at: string): string | undefined => parents(mesh, at)[0]?.[1]
  t.is(resolved('shop/missing'), 'ResolvedRefs False BackendNotFound: Service shop/nobody was not found')
  t.regex(resolved('shop/foreign') ?? '', /^ResolvedRefs False RefNotPermitted/)
  t.regex(resolved('shop/kind') ?? '', /^ResolvedRefs False InvalidKind/)
  // Attached all the same: their requests are answered 500.
  t.deepEqual(status(mesh), { http: [3, 'HTTPRoute,GRPCRoute'] })
})

test('a Gateway that names a Service is served by that Service’s pods, at the ports it leads to', (t) => {
  const addresses = [{ type: 'Hostname', value: 'edge.shop.svc.cluster.local' }]
  const edge = make.service('shop/edge', {
    selector: { app: 'edge' },
    ports: [{ name: 'http', port: 80, targetPort: 8080 }],
  })
  const mesh = Mesh.of(
    ingress('shop/gw', [HTTP, { ...HTTP, name: 'other', port: 81 }], { addresses }),
    route('shop/r', { parentRefs: [{ name: 'gw', sectionName: 'http' }] }),
    web,
    edge,
    router('shop/edge-1', { app: 'edge' }),
  )
  t.deepEqual(listeners(mesh, 'shop/edge-1'), ['shop.gw.http.8080 8080 [] *=>shop.r.0 /'])
})

test('CORS: origins by name and by wildcard, the rest as written', (t) => {
  const cors = {
    allowOrigins: ['https://a.example', 'https://*.b.example', '*'],
    allowMethods: ['GET'],
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-b'],
    allowCredentials: true,
    maxAge: 7,
  }
  const rules = [{ filters: [{ type: 'CORS', cors }], backendRefs: [{ name: 'web', port: 80 }] }]
  const mesh = Mesh.of(ingress('shop/gw', [HTTP]), route('shop/r', { rules }), web, gatewayPod('shop/gw'))
  const [told] = mesh.settings('shop/gw')?.listeners[0]?.virtualHosts[0]?.routes?.routes ?? []
  t.is(told?.action.case, 'backends')
  t.deepEqual(
    told?.cors?.allowOrigins.map(({ value }) => value),
    [
      { case: 'exact', value: 'https://a.example' },
      { case: 'regex', value: String.raw`https://.*\.b\.example` },
      { case: 'regex', value: '.*' },
    ],
  )
  t.like(told?.cors, { allowMethods: ['GET'], allowHeaders: ['x-a'], exposeHeaders: ['x-b'], maxAgeSeconds: 7 })
  t.true(told?.cors?.allowCredentials)
  t.true(told?.cors?.answerAllPreflights)
})

test('proxies in front of gateways are those the mesh names', (t) => {
  const mesh = { defaultConfig: { gatewayTopology: { numTrustedProxies: 2 } } }
  const verdict = decodeWaypointDefaults(mesh)
  t.true(verdict.ok)
  if (!verdict.ok) return
  const told = new Mesh({ waypoints: verdict.defaults }).apply(ingress('shop/gw', [HTTP]), gatewayPod('shop/gw'))
  t.is(told.settings('shop/gw')?.trustedHops, 2)
  const odd = decodeWaypointDefaults({ defaultConfig: { gatewayTopology: { numTrustedProxies: 'many' } } })
  t.is(odd.ok ? '' : odd.reason, 'defaultConfig.gatewayTopology.numTrustedProxies is no number')
})

test('policies of a gateway: attached to it, of its namespace, by its pods’ labels, of the root', (t) => {
  const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gw' }]
  const rules = [{ to: [{ operation: { methods: ['GET'] } }] }]
  const mesh = Mesh.of(
    ingress('shop/gw', [HTTP]),
    gatewayPod('shop/gw'),
    make.policy('shop/attached', { targetRefs, rules }),
    make.policy('shop/all', { rules }),
    make.policy('shop/selected', {
      selector: { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'gw' } },
      rules,
    }),
    make.policy('shop/elsewhere', { selector: { matchLabels: { app: 'web' } }, rules }),
    make.policy('shop/other', { targetRefs: [{ ...targetRefs[0], name: 'other' }], rules }),
    make.policy('istio-system/mesh', { rules }),
    make.policy('else/all', { rules }),
  )
  t.deepEqual(mesh.settings('shop/gw')?.authorizationPolicies, [
    'istio-system/mesh',
    'shop/all',
    'shop/attached',
    'shop/selected',
  ])
  for (const name of ['istio-system/mesh', 'shop/all', 'shop/attached', 'shop/selected'])
    t.deepEqual(mesh.requestPolicy(name)?.audience, ['shop/gw'], name)
  for (const name of ['shop/elsewhere', 'shop/other', 'else/all']) t.is(mesh.requestPolicy(name), undefined, name)
  t.is(mesh.index.resultOf('policy/shop/attached')?.targetCondition?.message, 'bound to shop/gw')
  t.false(mesh.settings('shop/gw')?.authenticatesRequests ?? true)
  mesh.apply(make.requestAuthentication('shop/jwt', { targetRefs }))
  t.true(mesh.settings('shop/gw')?.authenticatesRequests)
  mesh.delete(make.requestAuthentication('shop/jwt', { targetRefs }))
  mesh.apply(make.requestAuthentication('shop/jwt', { selector: { matchLabels: { app: 'no' } } }))
  t.false(mesh.settings('shop/gw')?.authenticatesRequests ?? true)
  mesh.delete(make.policy('shop/all', {}))
  t.deepEqual(mesh.settings('shop/gw')?.authorizationPolicies, ['istio-system/mesh', 'shop/attached', 'shop/selected'])
})
