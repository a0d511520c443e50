// Each kind of answer and of surprise, over objects of files.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import test from 'ava'
import {
  AmbiguousNameError,
  COLOURED,
  type Explanation,
  explanationText,
  type MeshModel,
  type Question,
  UnknownNameError,
} from '../src/index.ts'
import { AMBIENT, deployment, modelOf, namespace, onService, policy, security, service, waypoint } from './objects.ts'

const ROOT = join(import.meta.dirname, '../../..')
const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../explanation.schema.json'), 'utf8')) as object
const isExplanation = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false }).compile(schema)

const ANN = 'cluster.local/ns/people/sa/ann'
const BASE = [
  namespace('people', AMBIENT),
  namespace('outside'),
  namespace('shop', AMBIENT),
  deployment('people', 'ann'),
  deployment('outside', 'zoe'),
  deployment('shop', 'web', { port: 8080 }),
  service('shop', 'web', { labels: 'istio.io/use-waypoint: waypoint' }),
  service('shop', 'plain', { selector: 'app: web' }),
  waypoint('shop'),
]

interface Shape {
  readonly from?: string
  readonly to?: string
  readonly request?: Question['request'] | undefined
}

function explained(
  model: MeshModel,
  { from = 'people/ann', to = 'shop/web', request = { method: 'GET', path: '/' } }: Shape = {},
): Explanation {
  return model.explain({
    from: model.clientNamed(from, 'people'),
    to: model.targetNamed(to, 'people'),
    ...(request && { request }),
  })
}

/** What is not enforced, and why; what people and programs are shown is whole. */
const answers = test.macro({
  exec(
    t,
    parts: readonly string[],
    shape: Shape,
    expected: Partial<Explanation> & { readonly codes?: readonly string[]; readonly because?: RegExp },
  ) {
    const { codes = [], because, ...like } = expected
    const explanation = explained(modelOf(...BASE, ...parts), shape)
    t.like(explanation, like, JSON.stringify(explanation, undefined, 1))
    t.deepEqual(
      explanation.notEnforced.map(({ code }) => code),
      codes,
      JSON.stringify(explanation.notEnforced),
    )
    if (because !== undefined) t.regex(JSON.stringify(explanation.notEnforced), because)
    t.true(isExplanation(JSON.parse(JSON.stringify(explanation))), JSON.stringify(isExplanation.errors))
    t.true(explanationText(explanation).startsWith(explanation.outcome.toUpperCase()))
  },
  title: (title = '') => title,
})

const DENY_ALL = { action: 'DENY', rules: [{}] }
const onPods = { selector: { matchLabels: { app: 'web' } } }

test('allowed by nobody’s objection', answers, [], {}, { outcome: 'allowed', reason: 'no-allow-policies' })
test(
  'L7 on pods: the rule is not sent to ztunnel',
  answers,
  [
    policy('shop', 'p', {
      ...onPods,
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [ANN] } }] }, { to: [{ operation: { methods: ['GET'] } }] }],
    }),
  ],
  { to: 'shop/plain' },
  { outcome: 'allowed', policy: 'shop/p', rule: 0, codes: ['l7-without-waypoint'], because: /found: methods/ },
)
test(
  'L7 on a service that no waypoint serves',
  answers,
  [policy('shop', 'p', { targetRefs: onService('plain'), ...DENY_ALL })],
  { to: 'shop/plain' },
  { outcome: 'allowed', codes: ['l7-without-waypoint'] },
)
test(
  'a target that is mistyped',
  answers,
  [policy('shop', 'p', { targetRefs: onService('webb'), ...DENY_ALL })],
  {},
  { outcome: 'allowed', codes: ['wrong-target'], because: /Service shop\/webb was not found/ },
)
test(
  'a target that is something else is nobody’s surprise',
  answers,
  [policy('shop', 'p', { targetRefs: onService('orders'), ...DENY_ALL })],
  {},
  { outcome: 'allowed' },
)
test(
  'a selector that fits the waypoint’s pods',
  answers,
  [
    policy('shop', 'p', {
      selector: { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'waypoint' } },
      ...DENY_ALL,
    }),
  ],
  {},
  { outcome: 'allowed', codes: ['wrong-target'] },
)
test(
  'a policy on pods in the client’s namespace',
  answers,
  [policy('people', 'p', { ...onPods, ...DENY_ALL })],
  {},
  { outcome: 'allowed', codes: ['other-namespace'] },
)
test(
  'a policy on the service in another namespace',
  answers,
  [policy('people', 'p', { targetRefs: onService('web'), ...DENY_ALL })],
  {},
  { outcome: 'allowed', codes: ['other-namespace'] },
)
test(
  'a class is targeted from the root only',
  answers,
  [
    policy('shop', 'p', {
      targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'GatewayClass', name: 'istio-waypoint' }],
      ...DENY_ALL,
    }),
  ],
  {},
  { outcome: 'allowed', codes: ['other-namespace'] },
)
test(
  'a waypoint that is not there',
  answers,
  [
    service('shop', 'late', { selector: 'app: web', labels: 'istio.io/use-waypoint: missing' }),
    policy('shop', 'p', { targetRefs: onService('late'), ...DENY_ALL }),
  ],
  { to: 'shop/late' },
  { outcome: 'allowed', codes: ['waypoint-not-ready'] },
)
test(
  'a pod that is dialled itself',
  answers,
  [
    policy('shop', 'p', { targetRefs: onService('web'), ...DENY_ALL }),
    deployment('shop', 'none', { labels: 'istio.io/use-waypoint: none' }),
  ],
  { to: 'pod:shop/web' },
  { outcome: 'allowed', codes: ['waypoint-bypassed'] },
)
test(
  'a client that is not captured',
  answers,
  [policy('shop', 'p', { targetRefs: onService('web'), ...DENY_ALL })],
  { from: 'outside/zoe' },
  { outcome: 'allowed', codes: ['not-captured'] },
)
test(
  'a server that is not captured',
  answers,
  [policy('outside', 'p', { action: 'DENY', rules: [{}] })],
  { to: 'pod:outside/zoe:80' },
  { outcome: 'allowed', codes: ['not-captured'] },
)
test(
  'a policy that only reports',
  answers,
  [policy('shop', 'p', { targetRefs: onService('web'), ...DENY_ALL }, { 'istio.io/dry-run': 'true' })],
  {},
  { outcome: 'allowed', codes: ['dry-run'], because: /would have matched/ },
)
test(
  'AUDIT decides nothing',
  answers,
  [policy('shop', 'p', { targetRefs: onService('web'), action: 'AUDIT', rules: [{}] })],
  {},
  { outcome: 'allowed', codes: ['not-accepted'] },
)
test(
  'a selector in the root namespace',
  answers,
  [security('PeerAuthentication', 'istio-system', 'p', { ...onPods, mtls: { mode: 'STRICT' } })],
  {},
  { outcome: 'allowed', codes: ['not-accepted'] },
)
test(
  'RequestAuthentication on pods',
  answers,
  [security('RequestAuthentication', 'shop', 'p', { ...onPods, jwtRules: [] })],
  {},
  { outcome: 'allowed', codes: ['l7-without-waypoint'] },
)
test(
  'STRICT refuses plain text, and is told as the PeerAuthentication it is',
  answers,
  [security('PeerAuthentication', 'shop', 'sealed', { mtls: { mode: 'STRICT' } })],
  { from: 'outside/zoe', to: 'shop/plain' },
  {
    outcome: 'denied',
    point: 'destination-ztunnel',
    points: [{ policies: [{ policy: 'shop/sealed', kind: 'PeerAuthentication', matched: true }] }] as never,
  },
)
test(
  'a required waypoint that is missing',
  answers,
  [
    service('shop', 'must', {
      selector: 'app: web',
      labels: 'istio.io/use-waypoint: missing, ambit.dev/require-waypoint: "true"',
    }),
  ],
  { to: 'shop/must' },
  { outcome: 'unreachable', point: 'source-ztunnel' },
)
test(
  'a port that the service has not',
  answers,
  [],
  { to: 'shop/plain:81' },
  {
    outcome: 'unreachable',
    point: 'source-ztunnel',
    gaps: [
      'made up for what is only in files: 4 pods, 3 service addresses, 1 gateway; pods are taken to be ready and enrolled as their labels say',
      'service shop/plain has no port 81: it has 80 (http)',
    ],
  },
)
test(
  'no route takes it',
  answers,
  [
    JSON.stringify({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'r', namespace: 'shop' },
      spec: {
        parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
        rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/a' } }], backendRefs: [{ name: 'web', port: 80 }] }],
      },
    }),
  ],
  {},
  { outcome: 'unreachable', point: 'waypoint', reason: 'no route takes it: it is answered 404' },
)
test(
  'a host of nobody in the mesh',
  answers,
  [],
  { to: 'example.com:443', request: undefined },
  { outcome: 'allowed', reason: 'no enforcement point is on the way' },
)

test('an ingress gateway believes no client about its address, and is the client of what is behind', (t) => {
  const gateway = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'front' }
  const model = modelOf(
    ...BASE,
    `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: outside}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}`,
    JSON.stringify({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'front', namespace: 'shop' },
      spec: {
        parentRefs: [{ name: 'front', namespace: 'outside' }],
        rules: [{ backendRefs: [{ name: 'plain', port: 80 }] }],
      },
    }),
    policy('outside', 'abroad', {
      targetRefs: [gateway],
      action: 'DENY',
      rules: [{ from: [{ source: { remoteIpBlocks: ['203.0.113.0/24'] } }] }],
    }),
    policy('shop', 'fronts', {
      ...onPods,
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: ['cluster.local/ns/outside/sa/front-istio'] } }] }],
    }),
  )
  const ask = (ip: string, forged: string): Explanation =>
    explained(model, {
      from: ip,
      to: 'outside/front-istio:80',
      request: { method: 'GET', path: '/', headers: [['X-Forwarded-For', forged]] },
    })
  t.like(ask('198.51.100.9', '203.0.113.9'), { outcome: 'allowed', policy: 'shop/fronts' })
  const denied = ask('203.0.113.9', '198.51.100.9')
  t.like(denied, { outcome: 'denied', point: 'gateway', policy: 'outside/abroad' })
  t.true(isExplanation(JSON.parse(JSON.stringify(denied))), JSON.stringify(isExplanation.errors))
  t.deepEqual(
    ask('198.51.100.9', '').path.map(({ kind }) => kind),
    ['client', 'gateway', 'ztunnel', 'endpoint'],
  )
})

test(
  'a server in the host’s network',
  answers,
  [
    deployment('shop', 'hosted', { port: 9000, hostNetwork: true }),
    policy('shop', 'p', { selector: { matchLabels: { app: 'hosted' } }, ...DENY_ALL }),
  ],
  { to: 'pod:shop/hosted' },
  { outcome: 'allowed', codes: ['not-captured'], because: /it shares the network of its node/ },
)
test(
  'a pod with a waypoint of its own',
  answers,
  [
    deployment('shop', 'own', { labels: 'istio.io/use-waypoint: waypoint', port: 8080 }),
    policy('shop', 'p', {
      targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' }],
      ...DENY_ALL,
    }),
  ],
  { to: 'pod:shop/own' },
  { outcome: 'denied', point: 'waypoint', policy: 'shop/p' },
)
test(
  'HTTP is ignored of a DENY where there is none',
  answers,
  [
    service('shop', 'bytes', {
      selector: 'app: web',
      labels: 'istio.io/use-waypoint: waypoint',
      ports: '{name: tcp, port: 90, targetPort: 8080}',
    }),
    policy('shop', 'p', {
      targetRefs: onService('bytes'),
      action: 'DENY',
      rules: [{ to: [{ operation: { methods: ['PUT'] } }] }],
    }),
  ],
  { to: 'shop/bytes', request: undefined },
  {
    outcome: 'denied',
    point: 'waypoint',
    points: [{ policies: [{ rules: [{ clauses: [{ holds: true, ignored: true }] }] }] }] as never,
  },
)

test('endpoints that answer otherwise are told', (t) => {
  const model = modelOf(
    ...BASE,
    deployment('shop', 'web2', { labels: 'tier: front', port: 8080 }),
    deployment('shop', 'web3', { labels: 'tier: front, closed: "yes"', port: 8080 }),
    service('shop', 'front', { selector: 'tier: front' }),
    policy('shop', 'closed', { selector: { matchLabels: { closed: 'yes' } }, ...DENY_ALL }),
  )
  const { outcome, mixed } = explained(model, { to: 'shop/front' })
  t.is(outcome, 'allowed')
  t.deepEqual(mixed, [
    { endpoint: 'shop/web3', outcome: 'denied', reason: 'explicitly denied by: shop/closed', policy: 'shop/closed' },
  ])
})

test('a name that nobody has: the nearest, or what there is', (t) => {
  const model = modelOf(...BASE)
  const fails = (
    run: () => unknown,
    message: RegExp,
    is: typeof UnknownNameError | typeof AmbiguousNameError = UnknownNameError,
  ): void => {
    t.regex(t.throws(run, { instanceOf: is }).message, message)
  }
  fails(() => model.targetNamed('shop/wbe', ''), /^there is no service or pod shop\/wbe; is shop\/web meant\?$/)
  fails(() => model.clientNamed('people/an', ''), /is people\/ann meant\?/)
  fails(() => model.targetNamed('none/thing', ''), /^there is no service or pod none\/thing; there are: /)
  fails(() => explained(model, { to: 'plane' }), /^there is no service plane/)
  fails(() => model.targetNamed('shop/web:99999', ''), /names no port between 1 and 65535/, AmbiguousNameError)
  fails(
    () => model.ask({ from: { kind: 'identity', identity: 'spiffe://x' }, to: { kind: 'host', host: 'web.shop' } }),
    /is no identity/,
  )
  const two = modelOf(
    ...BASE,
    service('shop', 'two', { selector: 'app: web', ports: '{name: a, port: 1}, {name: b, port: 2}' }),
  )
  fails(
    () => explained(two, { to: 'shop/two' }),
    /has the ports 1 \(a\), 2 \(b\): say which one is meant/,
    AmbiguousNameError,
  )
  const clash = modelOf(
    ...BASE,
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ann, namespace: shop}\nspec: {serviceAccountName: web, containers: [{name: c}]}`,
    `apiVersion: v1\nkind: Pod\nmetadata: {name: other, namespace: shop}\nspec: {serviceAccountName: ann, containers: [{name: c}]}`,
  )
  fails(() => clash.clientNamed('shop/ann', ''), /say pod:shop\/ann or sa:shop\/ann/, AmbiguousNameError)
})

test('a thousand questions take a fraction of a second', (t) => {
  const model = modelOf(
    ...BASE,
    ...Array.from({ length: 100 }, (_, i) =>
      policy('shop', `p${i}`, {
        targetRefs: onService('web'),
        action: 'ALLOW',
        rules: [{ to: [{ operation: { paths: [`/${i}/*`] } }] }],
      }),
    ),
  )
  const from = model.clientNamed('people/ann', '')
  const to = model.targetNamed('shop/web', '')
  const started = performance.now()
  let allowed = 0
  for (let i = 0; i < 1_000; i++)
    if (model.ask({ from, to, request: { method: 'GET', path: `/${i % 200}/x` } }).outcome === 'allowed') allowed++
  t.is(allowed, 500)
  // A tenth of it on a quiet machine.
  t.true(performance.now() - started < 3_000)
})

test('values of others can not drive a terminal, and have an end', (t) => {
  const parts = [
    policy('shop', 'p', {
      targetRefs: onService('web'),
      action: 'DENY',
      rules: [{ when: [{ key: 'request.headers[x]', notValues: ['y'] }] }],
    }),
  ]
  const value = `\u001b[2J${'z'.repeat(1_000)}`
  const text = explanationText(
    explained(modelOf(...BASE, ...parts), { request: { method: 'GET', path: '/', headers: [['x', value]] } }),
  )
  t.false(text.includes('\u001b'))
  t.true(text.includes('\\x1b[2Jzzz') && text.includes('z…') && !text.includes('z'.repeat(401)))
})

test('every code is in the document', (t) => {
  const document = readFileSync(join(ROOT, 'docs/explain.md'), 'utf8')
  const { notEnforced } = (schema as { $defs: Record<string, { properties: { code: { enum: string[] } } }> }).$defs
  for (const code of notEnforced?.properties.code.enum ?? []) t.true(document.includes(`| \`${code}\` |`), code)
})

/** UPDATE_GOLDEN=1 writes them anew; then read the difference. */
const golden = test.macro({
  exec(t, file: string, parts: readonly string[], shape: Shape, paint?: typeof COLOURED) {
    const path = join(import.meta.dirname, 'golden', file)
    const text = `${explanationText(explained(modelOf(...BASE, ...parts), shape), paint)}\n`
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text)
    t.is(text, readFileSync(path, 'utf8'))
  },
  title: (_, file: string) => `as in golden/${file}`,
})

const READERS = policy('shop', 'readers', {
  targetRefs: onService('web'),
  action: 'ALLOW',
  rules: [
    { from: [{ source: { principals: [ANN] } }], to: [{ operation: { methods: ['GET', 'HEAD'] } }] },
    { to: [{ operation: { paths: ['/health'] } }], when: [{ key: 'request.headers[x-probe]', values: ['yes'] }] },
  ],
})
const CLOSED = policy('shop', 'closed', {
  ...onPods,
  action: 'ALLOW',
  rules: [{ from: [{ source: { principals: [ANN] } }] }, { to: [{ operation: { methods: ['GET'] } }] }],
})

test(golden, 'denied-at-waypoint.txt', [READERS], { request: { method: 'POST', path: '/orders' } })
test(golden, 'denied-behind-waypoint.txt', [READERS, CLOSED], {})
test(
  golden,
  'plain-text.txt',
  [READERS, CLOSED, security('PeerAuthentication', 'shop', 'sealed', { mtls: { mode: 'STRICT' } })],
  { from: 'outside/zoe', to: 'shop/plain' },
)
test(golden, 'in-colour.txt', [READERS], { request: { method: 'POST', path: '/orders' } }, COLOURED)
