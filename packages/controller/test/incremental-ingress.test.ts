// Gateways, their pods, routes, Secrets and policies in any order of changes come out as in one go.
import { CertificateAuthority } from '@ambit/identity'
import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import fc from 'fast-check'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

type Fields = Readonly<Record<string, unknown>>

const GATEWAY_GROUP = 'gateway.networking.k8s.io'
const material = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
const encode = (text: string): string => Buffer.from(text).toString('base64')
const PAIR = { 'tls.crt': encode(material.caCertPem), 'tls.key': encode(material.caKeyPem) }
const SECRETS: readonly Fields[] = [PAIR, { ...PAIR, 'ca.crt': PAIR['tls.crt'] }, {}]

const namespace = fc.constantFrom('istio-system', 'a', 'b')
const name = fc.constantFrom('x', 'y')
const created = fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')
const labels = fc.constantFrom<Readonly<Record<string, string>>>(
  { app: 'one' },
  { app: 'two' },
  { app: 'one', 'gateway.networking.k8s.io/gateway-name': 'x' },
  { 'gateway.networking.k8s.io/gateway-name': 'y' },
)
const selector = fc.constantFrom<Fields>({}, { app: 'one' }, { app: 'two' })

const object = (apiVersion: string, kind: string, at: string, fields: Fields, createdAt?: string): KubeObject => {
  const [place, called = ''] = at.split('/')
  const creation = createdAt === undefined ? {} : { creationTimestamp: createdAt }
  return { apiVersion, kind, metadata: { namespace: place, name: called, ...creation }, ...fields } as KubeObject
}

const listener = fc
  .record({
    name: fc.constantFrom('one', 'two'),
    port: fc.constantFrom(80, 443),
    hostname: fc.constantFrom(undefined, 'a.io', '*.io'),
    secret: fc.constantFrom(undefined, 'x', 'y'),
    place: fc.constantFrom(undefined, undefined, 'a'),
    mutual: fc.boolean(),
    from: fc.constantFrom('Same', 'All', 'Selector'),
  })
  .map(({ name: called, port, hostname, secret, place, mutual, from }) => ({
    name: called,
    port,
    hostname,
    protocol: secret === undefined ? 'HTTP' : 'HTTPS',
    allowedRoutes: { namespaces: { from, selector: { matchLabels: { team: 'in' } } } },
    ...(secret === undefined
      ? {}
      : {
          tls: {
            certificateRefs: [{ name: secret, ...(place === undefined ? {} : { namespace: place }) }],
            ...(mutual ? { options: { 'gateway.istio.io/tls-terminate-mode': 'MUTUAL' } } : {}),
          },
        }),
  }))

/** Any object of a tiny world in which names collide often. */
const anyObject: fc.Arbitrary<KubeObject> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({ namespace, name, labels, router: fc.boolean(), created })
      .map((o) =>
        make.pod(
          `${o.namespace}/${o.name}`,
          { spec: { containers: [{ args: o.router ? ['proxy', 'router'] : [] }] } },
          { labels: o.labels, metadata: { creationTimestamp: o.created } },
        ),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        namespace,
        name,
        created,
        className: fc.constantFrom('istio', 'istio', 'istio-waypoint', 'other'),
        listeners: fc.array(listener, { minLength: 1, maxLength: 3 }),
        address: fc.constantFrom(undefined, undefined, 'x', 'y'),
      })
      .map((o) =>
        make.gateway(
          `${o.namespace}/${o.name}`,
          {
            addresses: [],
            spec: {
              gatewayClassName: o.className,
              listeners: o.listeners,
              ...(o.address === undefined ? {} : { addresses: [{ type: 'Hostname', value: o.address }] }),
            },
          },
          { metadata: { creationTimestamp: o.created } },
        ),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        namespace,
        name,
        created,
        hostnames: fc.subarray(['a.io', '*.io', 'b.com']),
        parent: fc.record({
          name,
          namespace,
          sectionName: fc.constantFrom(undefined, 'one'),
          port: fc.constantFrom(undefined, 80),
        }),
        backend: namespace,
      })
      .map((o) =>
        make.httpRoute(
          `${o.namespace}/${o.name}`,
          {
            hostnames: o.hostnames,
            parentRefs: [o.parent],
            rules: [{ backendRefs: [{ name: 'x', namespace: o.backend, port: 80 }] }],
          },
          { metadata: { creationTimestamp: o.created } },
        ),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({ namespace, name, data: fc.constantFrom(...SECRETS) })
      .map((o) => object('v1', 'Secret', `${o.namespace}/${o.name}`, { data: o.data })),
  },
  fc
    .record({
      namespace,
      name,
      created,
      selector,
      hosts: fc.subarray(['*', 'a.io', 'a/b.com', './*.io'], { minLength: 1 }),
      port: fc.constantFrom(80, 443),
      secret: fc.constantFrom(undefined, 'x', 'x/y'),
      mode: fc.constantFrom('SIMPLE', 'MUTUAL', 'PASSTHROUGH'),
    })
    .map((o) => {
      const protocol = o.secret === undefined ? 'HTTP' : 'HTTPS'
      const tls = o.secret === undefined ? {} : { tls: { mode: o.mode, credentialName: o.secret } }
      const server = { port: { number: o.port, name: 'p', protocol }, hosts: o.hosts, ...tls }
      const fields = { spec: { selector: o.selector, servers: [server] } }
      return object('networking.istio.io/v1', 'Gateway', `${o.namespace}/${o.name}`, fields, o.created)
    }),
  fc
    .record({
      namespace,
      name,
      created,
      hosts: fc.subarray(['*', 'a.io', 'b.com'], { minLength: 1 }),
      gateways: fc.subarray(['x', 'a/x', 'b/y', 'mesh'], { minLength: 1 }),
      exportTo: fc.constantFrom([], ['.'], ['a']),
    })
    .map((o) => {
      const http = [{ route: [{ destination: { host: 'x' } }] }]
      const spec = { hosts: o.hosts, gateways: o.gateways, exportTo: o.exportTo, http }
      return object('networking.istio.io/v1', 'VirtualService', `${o.namespace}/${o.name}`, { spec }, o.created)
    }),
  fc.record({ namespace, name, selector, port: fc.constantFrom(80, 443), target: fc.constantFrom(8080, 80) }).map((o) =>
    make.service(`${o.namespace}/${o.name}`, {
      selector: o.selector,
      ports: [{ name: 'http', port: o.port, targetPort: o.target }],
    }),
  ),
  fc
    .record({
      namespace,
      name,
      tokens: fc.boolean(),
      gateway: fc.constantFrom(undefined, 'x', 'y'),
      selector: fc.constantFrom(undefined, { matchLabels: { app: 'one' } }),
    })
    .map((o) => {
      const target = { group: GATEWAY_GROUP, kind: 'Gateway', name: o.gateway }
      const spec = o.gateway === undefined ? { selector: o.selector } : { targetRefs: [target] }
      return o.tokens
        ? make.requestAuthentication(`${o.namespace}/${o.name}`, spec)
        : make.policy(`${o.namespace}/${o.name}`, { ...spec, rules: [{}] })
    }),
  fc.record({ namespace, name, from: namespace, kind: fc.constantFrom('Secret', 'Service') }).map((o) =>
    make.referenceGrant(`${o.namespace}/${o.name}`, {
      from: [{ group: GATEWAY_GROUP, kind: o.kind === 'Secret' ? 'Gateway' : 'HTTPRoute', namespace: o.from }],
      to: [{ group: '', kind: o.kind }],
    }),
  ),
  fc
    .constantFrom('istio.io/gateway-controller', 'istio.io/mesh-controller', 'example.org/other')
    .map((controller) => make.gatewayClass('istio', controller)),
  fc
    .record({ namespace, team: fc.constantFrom('in', 'out') })
    .map((o) => make.namespace(o.namespace, { labels: { team: o.team } })),
)

const operation = fc.record({
  object: anyObject,
  there: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
  flush: fc.boolean(),
})

test('what comes of many small changes is what comes of the final state', (t) => {
  let gateways = 0
  let keys = 0
  fc.assert(
    fc.property(fc.array(operation, { minLength: 10, maxLength: 60, size: 'max' }), (operations) => {
      const incremental = new Mesh()
      const final = new Map<string, KubeObject>()
      let wanted: readonly string[] = []
      incremental.index.onCredentials((names) => {
        wanted = [...names].sort()
      })
      for (const { object: one, there, flush } of operations) {
        const key = `${one.apiVersion}/${one.kind}/${one.metadata.namespace ?? ''}/${one.metadata.name}`
        incremental.put(one, there)
        final.delete(key)
        if (there) final.set(key, one)
        if (flush) incremental.index.flush()
      }
      incremental.index.flush()
      const fresh = Mesh.of(...final.values())
      t.deepEqual(incremental.dump(), fresh.dump())
      t.deepEqual(incremental.said(), fresh.said())
      t.deepEqual(wanted, [...fresh.index.state.links.credentialUsers.keys()].sort())
      const names = Object.keys(fresh.dump())
      gateways += names.filter((at) => at.includes('waypoint.Settings')).length
      keys += names.filter((at) => at.includes('waypoint.Credential')).length
    }),
    { numRuns: 1_000 },
  )
  // The histories reach what they are about.
  t.true(gateways > 300, `${gateways} gateways`)
  t.true(keys > 50, `${keys} credentials`)
})
