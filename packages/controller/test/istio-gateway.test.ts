// What Gateways of Istio's own API and their VirtualServices become.
import { TYPE_URLS } from '@ambit/api'
import { CertificateAuthority } from '@ambit/identity'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { MAX_LISTENERS } from '../src/limits.ts'
import { missingCredential } from '../src/watch/decode-credential.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

type Fields = Readonly<Record<string, unknown>>

const LABELS = { istio: 'ingressgateway' }
const EDGE = 'istio-system/istio-ingressgateway'
const edgePod = (labels: Readonly<Record<string, string>> = LABELS): KubeObject =>
  make.pod(
    'istio-system/istio-ingressgateway-1',
    { spec: { containers: [{ args: ['proxy', 'router', '--domain', 'x'] }] } },
    { labels: { ...labels, 'service.istio.io/workload-name': 'istio-ingressgateway' } },
  )
const edgeService = (labels: Readonly<Record<string, string>> = {}): KubeObject =>
  make.service(
    EDGE,
    {
      selector: LABELS,
      ports: [
        { name: 'http2', port: 80, targetPort: 8080 },
        { name: 'https', port: 443, targetPort: 8443 },
      ],
    },
    { labels },
  )
const istio = (kind: string, at: string, spec: Fields, createdAt = '2026-01-01T00:00:00Z'): KubeObject => {
  const [namespace, name = ''] = at.split('/')
  return {
    apiVersion: 'networking.istio.io/v1',
    kind,
    metadata: { namespace, name, creationTimestamp: createdAt },
    spec,
  } as KubeObject
}
const gateway = (at: string, servers: readonly Fields[], selector: Fields = LABELS, createdAt?: string): KubeObject =>
  istio('Gateway', at, { selector, servers }, createdAt)
const http = (number: number, hosts: readonly string[] = ['*'], more: Fields = {}): Fields => ({
  port: { number, name: 'http', protocol: 'HTTP' },
  hosts,
  ...more,
})
const https = (hosts: readonly string[], tls: Fields): Fields => ({
  port: { number: 443, name: 'https', protocol: 'HTTPS' },
  hosts,
  tls,
})
const virtual = (
  at: string,
  hosts: readonly string[],
  gateways: readonly string[],
  more: Fields = {},
  createdAt?: string,
): KubeObject =>
  istio(
    'VirtualService',
    at,
    { hosts, gateways, http: [{ route: [{ destination: { host: 'web' } }] }], ...more },
    createdAt,
  )

/** `port [hostnames] host=>routes`. */
function listeners(mesh: Mesh): readonly string[] {
  return (mesh.settings(EDGE)?.listeners ?? []).map(({ port, hostnames, tls, virtualHosts, httpsRedirect }) => {
    const secured =
      tls === undefined
        ? ''
        : ` tls(${tls.credentials.join()} ${tls.clientCertificates} ${tls.clientAuthorities.join()})`
    const hosts = virtualHosts.map(
      (host) => ` ${host.hostnames.join('|')}=>${(host.routes?.routes ?? []).map(({ name }) => name).join()}`,
    )
    return `${port} [${hostnames.join()}]${secured}${httpsRedirect ? ' redirect' : ''}${hosts.join('')}`
  })
}

const served = test.macro({
  exec(t, objects: readonly KubeObject[], expected: readonly string[]) {
    const everything = [make.service('shop/web'), edgeService(), edgePod(), ...objects]
    const mesh = Mesh.of(...everything)
    t.deepEqual(listeners(mesh), expected)
    // Whatever comes first.
    t.deepEqual(Mesh.of(...everything.toReversed()).dump(), mesh.dump())
  },
  title: (title = '') => `served: ${title}`,
})

test('a gateway without any Gateway knows who it is', served, [], [])
test(
  'every host of every namespace',
  served,
  [gateway('shop/gw', [http(80)]), virtual('shop/v', ['*'], ['gw'])],
  ['8080 [] *=>shop.v.0'],
)
test(
  'a port that no Service has is the pod’s',
  served,
  [gateway('shop/gw', [http(9090)]), virtual('shop/v', ['a.io'], ['shop/gw'])],
  ['9090 [] a.io=>shop.v.0'],
)
test(
  'a Gateway of another namespace by its full name only',
  served,
  [gateway('infra/gw', [http(80)]), virtual('shop/v', ['a.io'], ['gw']), virtual('shop/w', ['b.io'], ['infra/gw'])],
  ['8080 [] b.io=>shop.w.0'],
)
test(
  'a VirtualService of the mesh is not for gateways',
  served,
  [gateway('shop/gw', [http(80)]), virtual('shop/v', ['a.io'], ['mesh'])],
  ['8080 []'],
)
test('a selector that no gateway has', served, [gateway('shop/gw', [http(80)], { istio: 'other' })], [])
test('without a selector it is for every gateway', served, [gateway('shop/gw', [http(80)], {})], ['8080 []'])
test(
  'hosts that both name',
  served,
  [
    gateway('shop/gw', [http(80, ['*.example.com'])]),
    virtual('shop/v', ['a.example.com', 'a.example.org', '*.b.example.com'], ['gw']),
  ],
  ['8080 [*.example.com] a.example.com=>shop.v.0 *.b.example.com=>shop.v.0'],
)
test(
  'hosts for one namespace',
  served,
  [gateway('infra/gw', [http(80, ['shop/a.io', './b.io', 'other/c.io'])]), virtual('shop/v', ['*'], ['infra/gw'])],
  ['8080 [a.io,b.io,c.io] a.io=>shop.v.0'],
)
test(
  'several Gateways on one port are one table',
  served,
  [
    gateway('shop/one', [http(80)]),
    gateway('shop/two', [http(80, ['b.io'])]),
    virtual('shop/v', ['a.io'], ['one']),
    virtual('shop/w', ['b.io'], ['two']),
  ],
  ['8080 [] a.io=>shop.v.0 b.io=>shop.w.0'],
)
test(
  'several VirtualServices of one host, the older first',
  served,
  [
    gateway('shop/gw', [http(80)]),
    virtual('shop/young', ['a.io'], ['gw'], {}, '2026-03-01T00:00:00Z'),
    virtual('shop/old', ['a.io'], ['gw'], {
      http: [{ match: [{ uri: { prefix: '/x' } }], route: [{ destination: { host: 'web' } }] }],
    }),
  ],
  ['8080 [] a.io=>shop.old.0,shop.young.0'],
)
test(
  'a VirtualService that is not exported there',
  served,
  [gateway('shop/gw', [http(80)]), virtual('shop/v', ['a.io'], ['gw'], { exportTo: ['.'] })],
  ['8080 []'],
)
test(
  'a match for another Gateway',
  served,
  [
    gateway('shop/gw', [http(80)]),
    virtual('shop/v', ['a.io'], ['gw', 'other'], {
      http: [
        { match: [{ gateways: ['other'] }], route: [{ destination: { host: 'web' } }] },
        { match: [{ port: 80 }], route: [{ destination: { host: 'web' } }] },
      ],
    }),
  ],
  ['8080 [] a.io=>shop.v.1'],
)
test(
  'to https, whatever else is on the port',
  served,
  [
    gateway('shop/gw', [http(80, ['a.io'], { tls: { httpsRedirect: true } }), http(80, ['b.io'])]),
    virtual('shop/v', ['*'], ['gw']),
  ],
  ['8080 [a.io] redirect a.io=>shop.v.0', '8080 [b.io] b.io=>shop.v.0'],
)
test(
  'TLS by a Secret of the gateway’s namespace',
  served,
  [
    gateway('shop/gw', [https(['a.io'], { mode: 'SIMPLE', credentialName: 'cert' })]),
    virtual('shop/v', ['a.io'], ['gw']),
  ],
  ['8443 [a.io] tls(istio-system/cert 0 ) a.io=>shop.v.0'],
)
test(
  'TLS with certificates of clients',
  served,
  [
    gateway('shop/gw', [
      https(['a.io'], { mode: 'MUTUAL', credentialName: 'cert' }),
      https(['b.io'], { mode: 'OPTIONAL_MUTUAL', credentialName: 'cert' }),
    ]),
  ],
  [
    '8443 [a.io] tls(istio-system/cert 2 istio-system/cert-cacert)',
    '8443 [b.io] tls(istio-system/cert 1 istio-system/cert-cacert)',
  ],
)
test(
  'no Secret of another namespace, no file, no pass-through, no TCP',
  served,
  [
    gateway('shop/gw', [
      https(['a.io'], { mode: 'SIMPLE', credentialName: 'shop/cert' }),
      https(['b.io'], { mode: 'SIMPLE', serverCertificate: '/etc/cert', privateKey: '/etc/key' }),
      https(['c.io'], { mode: 'PASSTHROUGH' }),
      { port: { number: 9000, name: 'tcp', protocol: 'TCP' }, hosts: ['*'] },
      { port: { number: 443, name: 'tls', protocol: 'TLS' }, hosts: ['d.io'], tls: { mode: 'PASSTHROUGH' } },
    ]),
  ],
  [],
)
test(
  'a port is all TLS or nothing of it: the older Gateway decides',
  served,
  [
    gateway('shop/old', [http(443)], LABELS, '2025-01-01T00:00:00Z'),
    gateway('shop/gw', [https(['a.io'], { mode: 'SIMPLE', credentialName: 'cert' })]),
  ],
  ['8443 []'],
)
test('ports as written, where the Service says so', (t) => {
  const mesh = Mesh.of(
    edgeService({ 'experimental.istio.io/disable-gateway-port-translation': 'true' }),
    edgePod(),
    gateway('shop/gw', [http(80)]),
  )
  t.deepEqual(listeners(mesh), ['80 []'])
})

test('Gateways of other namespaces, where they are kept to their own', (t) => {
  const mesh = new Mesh({ gatewaysStayInNamespace: true })
  mesh.apply(edgePod(), gateway('shop/gw', [http(80)]), gateway('istio-system/gw', [http(81)]))
  t.deepEqual(listeners(mesh), ['81 []'])
})

test('what of a Gateway is not served is said, and no more when it is', (t) => {
  const mesh = Mesh.of(edgePod(), gateway('shop/gw', [{ ...http(9000), port: { number: 9000, protocol: 'TCP' } }]))
  const notes = (): string | undefined => mesh.index.resultOf(`router/${EDGE}`)?.ruleConditions?.[0]?.message
  t.is(notes(), 'Gateway shop/gw, port 9000: protocol TCP is not served')
  mesh.apply(gateway('shop/gw', [https(['a.io'], { mode: 'SIMPLE', serverCertificate: '/etc/cert' })]))
  t.is(notes(), 'Gateway shop/gw, port 443: tls.credentialName is required, certificates in files are not read')
  mesh.apply(gateway('shop/gw', [http(443), https(['a.io'], { mode: 'SIMPLE', credentialName: 'cert' })]))
  t.is(notes(), 'listener shop.gw.1.443: port 443 has plain HTTP already')
  mesh.apply(gateway('shop/gw', [https(['a.io'], { mode: 'SIMPLE', credentialName: 'cert' })]))
  t.is(notes(), undefined, 'the Secret is being looked for')
  mesh.index.put('credentials', 'istio-system', 'cert', missingCredential('istio-system', 'cert', 'not found'))
  mesh.index.flush()
  t.is(notes(), 'Gateway shop/gw, port 443: secret istio-system/cert not found')
  mesh.apply(gateway('shop/gw', [http(80)]))
  t.is(notes(), undefined)
})

test('a gateway has room for so many listeners, those of older Gateways first', (t) => {
  const servers = Array.from({ length: MAX_LISTENERS + 5 }, (_, i) => http(10_000 + i))
  const old = gateway('shop/old', [http(80)], LABELS, '2025-01-01T00:00:00Z')
  const mesh = Mesh.of(edgePod(), old, gateway('shop/many', servers))
  const told = mesh.settings(EDGE)?.listeners ?? []
  t.is(told.length, MAX_LISTENERS)
  t.is(told[0]?.port, 80)
  t.is(
    mesh.index.resultOf(`router/${EDGE}`)?.ruleConditions?.[0]?.message,
    `${MAX_LISTENERS + 6} listeners: those after the first ${MAX_LISTENERS} are not served`,
  )
})

test('a host no proxy understands costs itself, not the gateway', (t) => {
  const mesh = Mesh.of(
    make.service('shop/web'),
    edgePod(),
    gateway('shop/gw', [http(80, ['a b', 'a.io'])]),
    virtual('shop/v', ['*'], ['gw']),
  )
  t.deepEqual(listeners(mesh), ['80 [a.io] a.io=>shop.v.0'])
})

test('what changes is told: Gateway, VirtualService, Service, labels of the pod', (t) => {
  const mesh = Mesh.of(
    make.service('shop/web'),
    edgeService(),
    edgePod(),
    gateway('shop/gw', [http(80)]),
    virtual('shop/v', ['a.io'], ['gw']),
  )
  t.deepEqual(listeners(mesh), ['8080 [] a.io=>shop.v.0'])
  mesh.apply(virtual('shop/v', ['b.io'], ['gw']))
  t.deepEqual(listeners(mesh), ['8080 [] b.io=>shop.v.0'])
  mesh.delete(edgeService())
  t.deepEqual(listeners(mesh), ['80 [] b.io=>shop.v.0'])
  mesh.delete(make.service('shop/web'))
  const [backend] = mesh.settings(EDGE)?.listeners[0]?.virtualHosts[0]?.routes?.routes ?? []
  t.like(backend?.action.value, { backends: [{ namespace: '' }] })
  mesh.apply(edgePod({ istio: 'other' }))
  t.deepEqual(listeners(mesh), [])
  mesh.apply(edgePod())
  mesh.delete(gateway('shop/gw', []))
  t.deepEqual(listeners(mesh), [])
})

test('keys of an Istio Gateway go to the gateway that is in their namespace', (t) => {
  const material = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  const encode = (text: string): string => Buffer.from(text).toString('base64')
  const secret = (namespace: string): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name: 'cert' },
      data: { cert: encode(material.caCertPem), key: encode(material.caKeyPem) },
    }) as KubeObject
  const mesh = Mesh.of(
    edgePod(),
    gateway('shop/gw', [https(['a.io'], { mode: 'SIMPLE', credentialName: 'cert' })]),
    secret('shop'),
    secret('istio-system'),
  )
  t.deepEqual(mesh.names(TYPE_URLS.credential), ['istio-system/cert'])
  t.deepEqual(mesh.table.lookup(TYPE_URLS.credential, 'istio-system/cert')?.audience, [EDGE])
})

test('the bookstore’s Gateway and VirtualService', (t) => {
  const manifest = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: bookinfo-gateway, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 8080, name: http, protocol: HTTP }, hosts: ['*'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bookinfo, namespace: default }
spec:
  hosts: ['*']
  gateways: [bookinfo-gateway]
  http:
    - match: [{ uri: { exact: /productpage } }, { uri: { prefix: /static } }]
      route: [{ destination: { host: productpage, port: { number: 9080 } } }]
`
  const objects = parseAllDocuments(manifest).map((document) => document.toJS() as KubeObject)
  const page = make.service('default/productpage', { ports: [{ name: 'http', port: 9080 }] })
  const mesh = Mesh.of(page, edgeService(), edgePod(), ...objects)
  t.deepEqual(listeners(mesh), ['8080 [] *=>default.bookinfo.0,default.bookinfo.0'])
  const routes = mesh.settings(EDGE)?.listeners[0]?.virtualHosts[0]?.routes?.routes ?? []
  t.deepEqual(
    routes.map(({ match, action }) => [
      match?.path,
      action.case === 'backends'
        ? action.value.backends.map(({ hostname, port }) => `${hostname}:${port}`)
        : action.case,
    ]),
    [
      [{ case: 'exactPath', value: '/productpage' }, ['productpage.default.svc.cluster.local:9080']],
      [{ case: 'pathTextPrefix', value: '/static' }, ['productpage.default.svc.cluster.local:9080']],
    ],
  )
})
