import test from 'ava'
import * as fc from 'fast-check'
import {
  type Analyzer,
  type AnyObject,
  analyze,
  CODES,
  type Coverage,
  namedSecrets,
  parseSuppression,
  readDocuments,
  Snapshot,
} from '../src/index.ts'
import {
  gatewayApi,
  istioGateway,
  namespace,
  pod,
  route,
  rule,
  security,
  service,
  to,
  virtual,
  waypoint,
} from './objects.ts'

const lines = (snapshot: Snapshot, options: Parameters<typeof analyze>[1] = {}): readonly string[] =>
  analyze(snapshot, options).map(
    ({ level, code, origin, reference, message }) =>
      `${level} [${code}] (${[origin, reference].filter((part) => part !== '').join(' ')}) ${message}`,
  )
/** All but conditions: a rule without a waypoint has one too. */
const unconditional = (found: readonly string[]): readonly string[] => found.filter((line) => !line.includes('IST0171'))
const YAML = `# a comment
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  ports:
    - name: http
      port: 80
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [web]
  http:
    - route:
        - destination:
            host: web
        - destination:
            host: wbe
`

test('an object of a file has its namespace, its line, and the line of the field', (t) => {
  const { objects, problems } = readDocuments('web.yaml', YAML, 'shop')
  t.deepEqual(problems, [])
  t.deepEqual(
    objects.map(({ object, place }) => [object.kind, object.metadata.namespace, place?.line]),
    [
      ['Service', 'shop', 2],
      ['VirtualService', 'shop', 10],
    ],
  )
  const found = lines(new Snapshot({ cluster: [], files: objects }))
  t.true(
    found.includes('Error [IST0101] (VirtualService shop/web web.yaml:21) Referenced host not found: "wbe"'),
    found.join('\n'),
  )
})

test('documents that are no objects are told with their place, the others are read', (t) => {
  const text =
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\na: [1\nb: 2\n---\nkind: Pod\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n- {}\n'
  const { objects, problems } = readDocuments('x.yaml', text, 'shop')
  t.deepEqual(
    objects.map(({ object }) => object.metadata.name),
    ['a', 'b'],
  )
  t.deepEqual(
    problems.map(({ line }) => line),
    [6, 8, 16],
  )
  t.regex(problems[1]?.message ?? '', /no apiVersion/)
})

test('documents that hold nothing are passed over; those of something else are known as such', (t) => {
  const object = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n'
  const empty = readDocuments('x.yaml', `---\n# a remark\n---\n${object}---\n---\nnull\n---\n`, 'shop')
  t.deepEqual([empty.objects.length, empty.problems], [1, []])
  const foreign = (text: string): readonly (boolean | undefined)[] =>
    readDocuments('x.yaml', text, 'shop').problems.map(({ isForeign }) => isForeign)
  t.deepEqual(foreign('replicas: 2\n'), [true])
  t.deepEqual(foreign('apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n'), [true])
  t.deepEqual(foreign('a: [\n'), [undefined])
  t.deepEqual(foreign('apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n'), [undefined])
})

test('JSON is read, an alias that unfolds without end is not', (t) => {
  const json = readDocuments(
    'x.json',
    JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }),
    'shop',
  )
  t.is(json.objects[0]?.object.metadata.namespace, undefined)
  const bomb = [
    'a: &a [x, x]',
    ...'bcdefghijkl'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefghijkl'[i]},`.repeat(9)}]`),
  ].join('\n')
  const { objects, problems } = readDocuments('bomb.yaml', bomb, 'shop')
  t.is(objects.length, 0)
  t.is(problems.length, 1)
})

test('whatever a file holds, it is read or told', (t) => {
  fc.assert(fc.property(fc.string(), (text) => t.notThrows(() => readDocuments('x.yaml', text, 'shop'))))
})

test('a file takes the place of the object in the cluster', (t) => {
  const cluster = [
    namespace('shop', { 'istio.io/dataplane-mode': 'ambient' }),
    service('shop/web'),
    rule('shop/web', { host: 'gone' }),
  ]
  const text =
    'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web, namespace: shop}\nspec: {host: web}\n'
  t.true(lines(new Snapshot({ cluster, files: [] })).some((line) => line.includes('IST0174')))
  t.deepEqual(lines(new Snapshot({ cluster, files: readDocuments('x.yaml', text, 'shop').objects })), [])
})

test('a waypoint of a file serves as if it were deployed, and pods of a Deployment are selected', (t) => {
  const text = [
    namespace('shop', { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'wp' }),
    service('shop/web'),
    { ...waypoint('shop/wp'), status: undefined },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { template: { metadata: { labels: { app: 'web' } } } },
    },
    security('PeerAuthentication', 'shop/p', { selector: { matchLabels: { app: 'web' } } }),
  ]
    .map((object) => JSON.stringify(object))
    .join('\n---\n')
  t.deepEqual(lines(new Snapshot({ cluster: [], files: readDocuments('x.yaml', text, 'shop').objects })), [])
})

test('what may not be read is not said to be missing, and conditions are then those of statuses', (t) => {
  const coverage = new Map<string, Coverage>([
    ['core/Service', new Set(['shop'])],
    ['core/Pod', new Set()],
    ['core/Namespace', new Set()],
    ['core/Secret', new Set()],
    ['gateway.networking.k8s.io/Gateway', new Set(['shop'])],
  ])
  const said = { type: 'istio.io/WaypointBound', status: 'False', reason: 'AttachmentDenied', message: 'no' }
  const cluster = [
    virtual('shop/v', { hosts: ['web'], http: [route(to('web.other.svc.cluster.local'), to('gone'))] }),
    security('AuthorizationPolicy', 'shop/p', {
      selector: { matchLabels: { app: 'x' } },
      rules: [{ from: [{ source: { namespaces: ['gone'] } }] }],
    }),
    istioGateway('shop/g', { selector: { istio: 'ingress' }, servers: [] }),
    service('shop/web', {}, { labels: { 'istio.io/use-waypoint': 'wp' }, status: { conditions: [said] } }),
    gatewayApi('HTTPRoute', 'shop/r', { parentRefs: [{ name: 'g', namespace: 'other' }] }),
  ]
  const found = lines(new Snapshot({ cluster, files: [], coverage }))
  t.deepEqual(
    found.filter((line) => /IST0101|IST0127/.test(line)),
    // Of its own namespace it is known.
    ['Error [IST0101] (VirtualService shop/v) Referenced host not found: "gone"'],
  )
  t.regex(found.join('\n'), /\(Service shop\/web\) .*reason=AttachmentDenied, message=no\./)
})

test('messages are of the namespace, the worst first, none twice', (t) => {
  const cluster = [
    namespace('shop'),
    namespace('other'),
    rule('shop/d', { host: 'gone' }),
    virtual('shop/v', { hosts: ['a.b'], http: [route(to('gone'), to('gone'))] }),
    rule('other/d', { host: 'gone' }),
  ]
  const found = analyze(new Snapshot({ cluster, files: [] }), { namespace: 'shop' })
  t.deepEqual(
    new Set(found.map(({ origin }) => origin)),
    new Set(['VirtualService shop/v', 'DestinationRule shop/d', 'Namespace shop']),
  )
  const levels = found.map(({ level }) => ['Error', 'Warning', 'Info'].indexOf(level))
  t.deepEqual(
    levels,
    levels.toSorted((a, b) => a - b),
  )
  t.is(found.filter(({ code }) => code === 'IST0101').length, 1)
})

test('objects of another revision do not count', (t) => {
  const cluster = [rule('shop/d', { host: 'gone' })].map((object) => ({
    ...object,
    metadata: { ...object.metadata, labels: { 'istio.io/rev': 'canary' } },
  }))
  t.deepEqual(lines(new Snapshot({ cluster, files: [] })), [])
  t.is(unconditional(lines(new Snapshot({ cluster, files: [], revision: 'canary' }))).length, 1)
})

const suppressed = test.macro({
  exec(t, written: string, count: number) {
    const suppression = parseSuppression(written)
    const snapshot = new Snapshot({ cluster: [rule('shop/d', { host: 'gone' })], files: [] })
    t.is(unconditional(lines(snapshot, { suppressions: suppression === undefined ? [] : [suppression] })).length, count)
  },
  title: (_, written: string) => `suppression ${written}`,
})
test(suppressed, 'IST0174=DestinationRule d.shop', 0)
test(suppressed, 'IST0174=DestinationRule shop/d', 0)
test(suppressed, 'IST0174=DestinationRule *.shop', 0)
test(suppressed, 'IST0174=*', 0)
test(suppressed, 'IST0174=DestinationRule *.other', 1)
test(suppressed, 'IST0101=DestinationRule *', 1)
test(suppressed, 'IST0174', 1)

test('an annotation takes messages of its object away, and no others', (t) => {
  const suppress = (codes: string): AnyObject => {
    const object = rule('shop/d', { host: 'gone', trafficPolicy: { tls: { mode: 'SIMPLE' } } })
    return { ...object, metadata: { ...object.metadata, annotations: { 'galley.istio.io/analyze-suppress': codes } } }
  }
  const codes = (object: AnyObject): readonly string[] =>
    analyze(new Snapshot({ cluster: [object, rule('shop/e', { host: 'gone' })], files: [] }))
      .map(({ code, origin }) => `${code} ${origin}`)
      .filter((line) => !line.startsWith('IST0171'))
  t.deepEqual(codes(suppress('IST0174, IST0001')), ['IST0128 DestinationRule shop/d', 'IST0174 DestinationRule shop/e'])
  t.deepEqual(codes(suppress('*')), ['IST0174 DestinationRule shop/e'])
})

test('IST0001 for: an analyzer that fails', (t) => {
  const broken: Analyzer = {
    name: 'broken',
    summary: '',
    codes: [],
    analyze: () => {
      throw new Error('no')
    },
  }
  t.deepEqual(lines(new Snapshot({ cluster: [], files: [] }), { analyzers: [broken] }), [
    'Error [IST0001] () Internal error: broken: no',
  ])
})

const KINDS = [
  ...new Set([
    'v1/Service',
    'v1/Pod',
    'v1/Namespace',
    ...['VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'Sidecar'].map(
      (kind) => `networking.istio.io/v1/${kind}`,
    ),
    ...['AuthorizationPolicy', 'RequestAuthentication'].map((kind) => `security.istio.io/v1/${kind}`),
    'telemetry.istio.io/v1/Telemetry',
    ...['Gateway', 'HTTPRoute', 'GatewayClass'].map((kind) => `gateway.networking.k8s.io/v1/${kind}`),
    'apiextensions.k8s.io/v1/CustomResourceDefinition',
    'admissionregistration.k8s.io/v1/MutatingWebhookConfiguration',
  ]),
]
const FIELDS = [
  'toString',
  'spec',
  'http',
  'route',
  'match',
  'hosts',
  'host',
  'servers',
  'tls',
  'ports',
  'selector',
  'matchLabels',
  'rules',
  'from',
  'listeners',
  'parentRefs',
  'subsets',
  'webhooks',
  'gateways',
]
const misshapen = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, 0, '', 'x', true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...FIELDS), tie('value'), { maxKeys: 4 }),
  ),
})).value

test('IST0001 not: whatever an object looks like', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...KINDS), misshapen, misshapen), { maxLength: 4 }), (written) => {
      const cluster = written.map(([kind, spec, extra], i) => {
        const slash = kind.lastIndexOf('/')
        return {
          ...(extra !== null && typeof extra === 'object' && !Array.isArray(extra) ? extra : {}),
          apiVersion: kind.slice(0, slash),
          kind: kind.slice(slash + 1),
          metadata: { name: `o${i}`, namespace: 'shop' },
          spec,
        }
      })
      t.deepEqual(
        lines(new Snapshot({ cluster, files: [] })).filter((line) => line.includes('IST0001')),
        [],
      )
      t.notThrows(() => namedSecrets(cluster))
    }),
    { numRuns: 400 },
  )
})

test('Secrets are looked for where a gateway names them', (t) => {
  const tls = { mode: 'SIMPLE', credentialName: 'cert' }
  const objects = [
    pod('edge/gw', { istio: 'ingress' }),
    istioGateway('shop/g', { selector: { istio: 'ingress' }, servers: [{ tls }] }),
    gatewayApi('Gateway', 'shop/k', {
      listeners: [{ tls: { certificateRefs: [{ name: 'own' }, { name: 'far', namespace: 'keys' }] } }],
    }),
  ]
  t.deepEqual(
    namedSecrets(objects).filter((name) => !name.endsWith('-cacert')),
    ['edge/cert', 'keys/far', 'shop/own'],
  )
})

test('levels are known for all codes', (t) => {
  t.true(Object.keys(CODES).length > 60)
})
