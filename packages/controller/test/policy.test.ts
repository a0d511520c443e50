import { TYPE_URLS } from '@ambit/api'
import test from 'ava'
import { compileAuthorizationPolicy } from '../src/compile/authorization.ts'
import { decodeAuthorizationPolicy } from '../src/watch/decode-authorization-policy.ts'
import { goldenOf } from './support/golden-authorization.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

interface Expected {
  /** Groups as published; undefined when the policy is not. */
  readonly groups?: unknown
  readonly status?: 'True' | 'False'
  readonly message?: RegExp
}

const compiles = test.macro((t, spec: Record<string, unknown>, expected: Expected, extra: make.Extra = {}) => {
  const { authorization, condition } = compileAuthorizationPolicy(
    decodeAuthorizationPolicy(make.policy('a/p', spec, extra)),
    {
      rootNamespace: 'istio-system',
    },
  )
  const golden = goldenOf(authorization) as { readonly groups?: unknown } | null
  t.deepEqual(golden === null ? null : (golden.groups ?? []), expected.groups ?? null)
  t.is(condition?.status, expected.status)
  if (expected.message !== undefined) t.regex(condition?.message ?? '', expected.message)
})

const principal = { source: { principals: ['p'] } }
const PRINCIPAL = { matches: [{ principals: [{ exact: 'p' }] }] }
const methods = { operation: { methods: ['GET'] } }
const accepted = { status: 'True', message: /^attached to ztunnel$/ } as const

test('an empty rule matches everything', compiles, { rules: [{}] }, { groups: [{}], ...accepted })
test('no rules match nothing', compiles, {}, { groups: [], ...accepted })
test(
  'an HTTP rule of an ALLOW policy is omitted',
  compiles,
  { rules: [{ from: [principal], to: [methods] }] },
  {
    groups: [],
    status: 'True',
    message:
      /^ztunnel does not support HTTP attributes \(found: methods\)\. In ambient mode you must use a waypoint proxy to enforce HTTP rules\. Within an ALLOW policy, rules matching HTTP attributes are omitted\. This will be more restrictive than requested\.$/,
  },
)
test(
  'a DENY policy keeps what it can of an entry',
  compiles,
  { action: 'DENY', rules: [{ from: [{ source: { principals: ['p'], requestPrincipals: ['r'] } }] }] },
  {
    groups: [{ rules: [PRINCIPAL] }],
    status: 'True',
    message: /enforced without the HTTP rules\. This will be more restrictive than requested\.$/,
  },
)
test(
  'a DENY policy whose clause is all HTTP has no effect and says so',
  compiles,
  { action: 'DENY', rules: [{ from: [principal], to: [methods] }] },
  {
    groups: [{ rules: [{ matches: [{}] }, PRINCIPAL] }],
    status: 'True',
    message: /has no enforceable rules at ztunnel and will have no effect/,
  },
)
for (const action of ['AUDIT', 'CUSTOM'])
  test(
    `${action} is not published`,
    compiles,
    { action, rules: [{}] },
    { status: 'False', message: new RegExp(`^ztunnel does not support the ${action} action$`) },
  )
test(
  'a dry run is not published',
  compiles,
  { rules: [{}] },
  { status: 'False', message: /^found policy "a\/p" using dry-run annotation, but support/ },
  { annotations: { 'istio.io/dry-run': 'true' } },
)
test(
  'a policy for a target is not ztunnel’s',
  compiles,
  { targetRefs: [{ kind: 'Service', name: 's' }], rules: [{}] },
  {},
)
test(
  'found attributes are sorted',
  compiles,
  {
    rules: [
      { to: [{ operation: { paths: ['/'], hosts: ['h'] } }], when: [{ key: 'request.headers[a]', values: ['v'] }] },
    ],
  },
  { groups: [], status: 'True', message: /\(found: hosts, paths, request\.headers\[a\]\)/ },
)

// What nobody understands must not let in more than was written.
const broader = /This will be more restrictive than requested\.$/
test(
  'ALLOW: a rule with an unknown field goes',
  compiles,
  { rules: [{ from: [{ source: { principals: ['p'], colour: ['red'] } }] }] },
  { groups: [], status: 'True', message: broader },
)
test(
  'ALLOW: an unknown field beside from goes with its rule only',
  compiles,
  { rules: [{ from: [principal], unless: [{}] }, { from: [principal] }] },
  { groups: [{ rules: [PRINCIPAL] }], status: 'True', message: /not understood: rules\[0\]\.unless/ },
)
test(
  'ALLOW: trustDomains are not checked, so the rule goes',
  compiles,
  { rules: [{ from: [{ source: { principals: ['p'], trustDomains: ['td'] } }] }] },
  { groups: [], status: 'True', message: broader },
)
test(
  'ALLOW: unreadable addresses among readable ones are dropped',
  compiles,
  { rules: [{ to: [{ operation: { ports: ['80', 'http'] } }] }] },
  { groups: [{ rules: [{ matches: [{ destinationPorts: [80] }] }] }], status: 'True', message: /ports=http/ },
)
test(
  'ALLOW: an unreadable exception takes its rule along',
  compiles,
  { rules: [{ from: [{ source: { principals: ['p'], notIpBlocks: ['10.0.0.300'] } }] }] },
  { groups: [], status: 'True', message: broader },
)
test(
  'DENY: an entry with an unknown field no longer restricts',
  compiles,
  { action: 'DENY', rules: [{ from: [{ source: { colour: ['red'] } }], to: [{ operation: { ports: ['80'] } }] }] },
  {
    groups: [{ rules: [{ matches: [{ destinationPorts: [80] }] }] }],
    status: 'True',
    message: /what is not understood is taken to match/,
  },
)
test(
  'DENY: ports that cannot be read no longer restrict',
  compiles,
  { action: 'DENY', rules: [{ from: [principal], to: [{ operation: { ports: ['http'] } }] }] },
  { groups: [{ rules: [PRINCIPAL] }], status: 'True', message: broader },
)
test(
  'DENY: rules that are no list deny everything',
  compiles,
  { action: 'DENY', rules: { from: [] } },
  { groups: [{}], status: 'True', message: broader },
)
test(
  'an unknown action allows nothing',
  compiles,
  { action: 'MAYBE', rules: [{}] },
  { groups: [], status: 'True', message: /allows nothing/ },
)

test('scope follows namespace and selector', (t) => {
  const selector = { matchLabels: { app: 'x' } }
  const mesh = Mesh.of(
    make.policy('istio-system/all', { rules: [{}] }),
    make.policy('a/ns', { rules: [{}] }),
    make.policy('a/some', { selector, rules: [{}] }),
  )
  t.deepEqual(
    ['istio-system/all', 'a/ns', 'a/some'].map((name) => mesh.policy(name)?.scope),
    [0, 1, 2],
  )
})

const attached = (mesh: Mesh): readonly string[] => mesh.workload('Kubernetes//Pod/a/x').authorizationPolicies
const web = make.pod('a/x', {}, { labels: { app: 'web' } })

test('a workload lists the policies that select it, of its namespace and of the root', (t) => {
  const selector = { matchLabels: { app: 'web' } }
  const mesh = Mesh.of(
    web,
    make.policy('a/z', { selector, rules: [{}] }),
    make.policy('istio-system/b', { selector, rules: [{}] }),
    make.policy('b/other', { selector, rules: [{}] }),
    make.policy('a/ns', { rules: [{}] }),
    make.policy('a/audit', { selector, action: 'AUDIT', rules: [{}] }),
  )
  t.deepEqual(attached(mesh), ['a/z', 'istio-system/b'])
})

const STRICT = 'istio-system/istio_converted_static_strict'
const CONVERTED = 'a/converted_peer_authentication_w'
const selector = { matchLabels: { app: 'web' } }
const mtls = (mode: string): { mtls: { mode: string } } => ({ mtls: { mode } })
const ports = (port: string): { portLevelMtls: Record<number, { mode: string }> } => ({
  portLevelMtls: { 9090: { mode: port } },
})

/** Policies attached to a/x, whose label is app=web, under these settings of mesh, namespace and workload. */
const attaches = test.macro(
  (t, o: { mesh?: string; namespace?: string; workload?: Record<string, unknown> }, expected: readonly string[]) => {
    const mesh = Mesh.of(
      web,
      ...(o.mesh === undefined ? [] : [make.peerAuthentication('istio-system/m', mtls(o.mesh))]),
      ...(o.namespace === undefined ? [] : [make.peerAuthentication('a/n', mtls(o.namespace))]),
      ...(o.workload === undefined ? [] : [make.peerAuthentication('a/w', { selector, ...o.workload })]),
    )
    t.deepEqual(attached(mesh), expected)
    for (const name of expected) t.not(mesh.policy(name), undefined, `${name} is published`)
  },
)
test('nothing set attaches nothing', attaches, {}, [])
test('STRICT mesh', attaches, { mesh: 'STRICT' }, [STRICT])
test('STRICT mesh, PERMISSIVE namespace', attaches, { mesh: 'STRICT', namespace: 'PERMISSIVE' }, [])
test('STRICT mesh, UNSET namespace', attaches, { mesh: 'STRICT', namespace: 'UNSET' }, [STRICT])
test('STRICT namespace, DISABLE workload', attaches, { namespace: 'STRICT', workload: mtls('DISABLE') }, [])
test('STRICT workload', attaches, { workload: mtls('STRICT') }, [STRICT])
test('STRICT workload, STRICT port', attaches, { workload: { ...mtls('STRICT'), ...ports('STRICT') } }, [STRICT])
test('STRICT workload, DISABLE port', attaches, { workload: { ...mtls('STRICT'), ...ports('DISABLE') } }, [CONVERTED])
test('PERMISSIVE workload, STRICT port', attaches, { workload: { ...mtls('PERMISSIVE'), ...ports('STRICT') } }, [
  CONVERTED,
])
test(
  'PERMISSIVE workload, PERMISSIVE port',
  attaches,
  { workload: { ...mtls('PERMISSIVE'), ...ports('PERMISSIVE') } },
  [],
)
test('inherited STRICT, PERMISSIVE port', attaches, { mesh: 'STRICT', workload: ports('PERMISSIVE') }, [CONVERTED])
test('inherited STRICT, DISABLE port: still strict', attaches, { mesh: 'STRICT', workload: ports('DISABLE') }, [STRICT])
test('inherited PERMISSIVE, STRICT port', attaches, { workload: ports('STRICT') }, [CONVERTED])
test('a mode nobody knows counts as STRICT', attaches, { mesh: 'PARANOID' }, [STRICT])

test('the static strict policy is there as soon as any PeerAuthentication is', (t) => {
  const any = make.peerAuthentication('b/any', mtls('PERMISSIVE'))
  const mesh = Mesh.of(any)
  t.deepEqual(mesh.names(TYPE_URLS.authorization), [STRICT])
  t.deepEqual(mesh.delete(any).names(TYPE_URLS.authorization), [])
})

test('the oldest of equal rank decides', (t) => {
  const made = (at: string, mode: string, day: number): ReturnType<typeof make.peerAuthentication> =>
    make.peerAuthentication(at, mtls(mode), { metadata: { creationTimestamp: `2026-01-0${day}T00:00:00Z` } })
  t.deepEqual(attached(Mesh.of(web, made('a/new', 'STRICT', 2), made('a/old', 'PERMISSIVE', 1))), [])
  t.deepEqual(attached(Mesh.of(web, made('a/new', 'PERMISSIVE', 2), made('a/old', 'STRICT', 1))), [STRICT])
})

test('a dry run is published and attached where that is enabled', (t) => {
  const dry = make.policy('a/dry', { selector, rules: [{}] }, { annotations: { 'istio.io/dry-run': 'true' } })
  t.deepEqual(attached(Mesh.of(web, dry)), [])
  const mesh = new Mesh({ dryRunEnabled: true }).apply(web, dry)
  t.deepEqual(attached(mesh), ['a/dry'])
  t.true(mesh.policy('a/dry')?.dryRun)
})
