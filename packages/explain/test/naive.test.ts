// Policies as they are written, through the control plane and the proxies' own functions, held against a naive reading of the reference.
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { type Answer, type Explanation, MeshModel } from '../src/index.ts'
import {
  naiveWaypoint,
  naiveZtunnel,
  type WrittenAuthentication,
  type WrittenPolicy,
  type WrittenRule,
} from './naive-mesh.ts'
import { AMBIENT, deployment, fromFile, namespace, onService, policy, security, service, waypoint } from './objects.ts'

const NAMES = ['shop', 'people']
const PRINCIPALS = [
  'cluster.local/ns/people/sa/ann',
  'cluster.local/ns/shop/sa/bob',
  'cluster.local/ns/shop/sa/waypoint',
]
const NETWORKS = ['10.1.0.0/16', '10.1.2.3', '198.18.0.0/15', '0.0.0.0/0']

const some = (of: readonly string[]): fc.Arbitrary<string[]> =>
  fc.subarray([...of], { minLength: 1, maxLength: Math.min(2, of.length) })
/** A record of a few of the fields. */
const few = <T extends object>(fields: { readonly [K in keyof T]-?: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc
    .record(fields as { [K in keyof T]: fc.Arbitrary<T[K]> }, { requiredKeys: [] })
    .map((whole) => Object.entries(whole))
    .chain((entries) => fc.subarray(entries, { maxLength: Math.min(2, entries.length) }))
    .map((entries) => Object.fromEntries(entries) as Partial<T>)

const sources = few({
  principals: some([...PRINCIPALS, '*', '*/sa/ann', 'cluster.local/ns/shop/*']),
  notPrincipals: some([...PRINCIPALS, '*']),
  namespaces: some([...NAMES, 's*', '*']),
  notNamespaces: some([...NAMES, '*']),
  serviceAccounts: some(['people/ann', 'bob']),
  ipBlocks: some(NETWORKS),
  notIpBlocks: some(NETWORKS),
  requestPrincipals: some(['*']),
}).filter((source) => Object.keys(source).length > 0)

const operations = few({
  ports: some(['80', '8080']),
  notPorts: some(['80', '8080']),
  methods: some(['GET', 'POST', 'P*']),
  notMethods: some(['GET']),
  paths: some(['/a', '/a*', '*b', '*']),
  notPaths: some(['/a', '*b']),
  hosts: some(['web.shop*', 'WEB.shop', 'other']),
}).filter((operation) => Object.keys(operation).length > 0)

const condition = fc.oneof(
  fc.record({ key: fc.constant('source.namespace'), values: some(NAMES) }),
  fc.record({ key: fc.constant('source.principal'), notValues: some([...PRINCIPALS, '*']) }),
  fc.record({ key: fc.constant('source.ip'), values: some(NETWORKS), notValues: fc.constantFrom([], ['10.1.2.3']) }),
  fc.record({ key: fc.constant('destination.port'), values: some(['80', '8080']) }),
  fc.record({ key: fc.constant('request.headers[x-team]'), values: some(['red', 'b*', '*']) }),
)

const rule: fc.Arbitrary<WrittenRule> = fc
  .record({
    from: fc.array(
      sources.map((source) => ({ source })),
      { maxLength: 2 },
    ),
    to: fc.array(
      operations.map((operation) => ({ operation })),
      { maxLength: 2 },
    ),
    when: fc.array(condition, { maxLength: 1 }),
  })
  // The API has no empty lists.
  .map((parts) => Object.fromEntries(Object.entries(parts).filter(([, list]) => list.length > 0)) as WrittenRule)

const policies = fc.array(
  fc.record({
    namespace: fc.constantFrom('shop', 'shop', 'shop', 'istio-system', 'people'),
    dryRun: fc.constantFrom(false, false, false, true),
    action: fc.constantFrom(
      'ALLOW' as const,
      'ALLOW' as const,
      'DENY' as const,
      'DENY' as const,
      'AUDIT' as const,
      'CUSTOM' as const,
    ),
    attach: fc.constantFrom(
      'namespace' as const,
      'selector' as const,
      'selector' as const,
      'other-selector' as const,
      'service' as const,
      'service' as const,
      'gateway' as const,
    ),
    rules: fc.option(fc.array(rule, { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 8 }),
  }),
  { maxLength: 4 },
)

const mode = fc.constantFrom('UNSET' as const, 'DISABLE' as const, 'PERMISSIVE' as const, 'STRICT' as const)
const ports = fc.constantFrom<readonly (readonly [number, 'STRICT' | 'PERMISSIVE' | 'DISABLE'])[]>(
  [],
  [],
  [[8080, 'STRICT']],
  [[8080, 'PERMISSIVE']],
  [[8080, 'DISABLE']],
  [[9090, 'PERMISSIVE']],
)
const authentications: fc.Arbitrary<readonly WrittenAuthentication[]> = fc
  .tuple(
    fc.option(mode, { nil: undefined }),
    fc.option(mode, { nil: undefined }),
    fc.option(fc.tuple(mode, ports), { nil: undefined }),
  )
  .map(([mesh, ofNamespace, workload]) => [
    ...(mesh === undefined ? [] : [{ level: 'mesh' as const, mode: mesh, ports: [] }]),
    ...(ofNamespace === undefined ? [] : [{ level: 'namespace' as const, mode: ofNamespace, ports: [] }]),
    ...(workload === undefined ? [] : [{ level: 'workload' as const, mode: workload[0], ports: workload[1] }]),
  ])

const MESH = [
  namespace('shop', AMBIENT),
  namespace('people', AMBIENT),
  deployment('shop', 'web', { port: 8080 }),
  deployment('shop', 'bob'),
  deployment('people', 'ann'),
  service('shop', 'web', { labels: 'istio.io/use-waypoint: waypoint' }),
  waypoint('shop'),
].join('\n---\n')

function policyText(written: WrittenPolicy, index: number): string {
  const { namespace: place, attach, action, rules, dryRun } = written
  const target = {
    namespace: {},
    selector: { selector: { matchLabels: { app: 'web' } } },
    'other-selector': { selector: { matchLabels: { app: 'elsewhere' } } },
    service: { targetRefs: onService('web') },
    gateway: { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' }] },
  }[attach]
  const provider = action === 'CUSTOM' ? { provider: { name: 'outside' } } : {}
  const spec = { ...target, action, ...provider, ...(rules === undefined ? {} : { rules }) }
  return policy(place, `p${index}`, spec, dryRun ? { 'istio.io/dry-run': 'true' } : {})
}

function authenticationText({ level, mode: own, ports: portModes }: WrittenAuthentication): string {
  const place = level === 'mesh' ? 'istio-system' : 'shop'
  const ofPorts = Object.fromEntries(portModes.map(([port, of]) => [port, { mode: of }]))
  return security('PeerAuthentication', place, level, {
    ...(level === 'workload' ? { selector: { matchLabels: { app: 'web' } } } : {}),
    mtls: { mode: own },
    ...(portModes.length === 0 ? {} : { portLevelMtls: ofPorts }),
  })
}

const requests = fc.array(
  fc.record({
    who: fc.constantFrom('ann', 'bob', 'plain'),
    ip: fc.constantFrom('10.1.2.3', '10.1.9.9', '10.9.9.9'),
    method: fc.constantFrom('GET', 'POST'),
    path: fc.constantFrom('/a', '/a/b', '/c'),
    team: fc.option(fc.constantFrom('red', 'blue', ''), { nil: undefined }),
    isDirect: fc.boolean(),
  }),
  { minLength: 6, maxLength: 6 },
)

const CLIENTS = {
  ann: { kind: 'account', namespace: 'people', serviceAccount: 'ann' },
  bob: { kind: 'account', namespace: 'shop', serviceAccount: 'bob' },
  plain: { kind: 'outside' },
} as const
const IDENTITIES: Readonly<Record<keyof typeof CLIENTS, string | undefined>> = {
  ann: PRINCIPALS[0],
  bob: PRINCIPALS[1],
  plain: undefined,
}

test('property: what is answered, and explained, is a naive reading of the policies as they are written', (t) => {
  const seen = { allowed: 0, denied: 0, atWaypoint: 0, atZtunnel: 0, plain: 0, behind: 0, decided: 0, missed: 0 }
  const property = fc.property(policies, authentications, requests, (written, authenticated, asked) => {
    const objects = fromFile(
      [MESH, ...written.map(policyText), ...authenticated.map(authenticationText)].join('\n---\n'),
    )
    const model = MeshModel.of({ objects })
    for (const { who, ip, method, path, team, isDirect } of asked) {
      const http = { method, path, host: 'web.shop', team }
      const principal = IDENTITIES[who]
      const viaWaypoint = !isDirect && principal !== undefined
      const passes = viaWaypoint
        ? naiveWaypoint(written, { principal, ip, port: 80, http }) &&
          naiveZtunnel(written, authenticated, { principal: PRINCIPALS[2], ip: '198.18.0.1', port: 8080 })
        : naiveZtunnel(written, authenticated, { principal, ip, port: 8080 })
      const question = {
        from: CLIENTS[who],
        to: isDirect
          ? ({ kind: 'pod', namespace: 'shop', name: 'web', port: 8080 } as const)
          : ({ kind: 'host', host: 'web.shop', port: 80 } as const),
        sourceIp: ip,
        request: { method, path, headers: team === undefined ? [] : [['x-team', team] as const] },
      }
      const about = JSON.stringify({ written, authenticated, question })
      const answer: Answer = model.ask(question)
      t.is(answer.outcome, passes ? 'allowed' : 'denied', about)
      const explanation = model.explain(question)
      t.like(explanation, answer, about)
      assertAgrees(t, explanation, about)
      seen[passes ? 'allowed' : 'denied']++
      if (!passes) seen[answer.point === 'waypoint' ? 'atWaypoint' : 'atZtunnel']++
      if (!passes && viaWaypoint && answer.point === 'destination-ztunnel') seen.behind++
      if (principal === undefined && !passes) seen.plain++
      if (answer.policy !== undefined) seen.decided++
      if (explanation.nearest !== undefined) seen.missed++
    }
  })
  fc.assert(property, { numRuns: 700 })
  for (const [what, count] of Object.entries(seen)) t.true(count > 40, `${what}: ${count}`)
})

/** The clauses add up to what is said of their rule, and the rules to what is said of the point. */
function assertAgrees(
  t: ExecutionContext,
  { points, policy: decided, rule: index, outcome, nearest }: Explanation,
  about: string,
): void {
  for (const { verdict, policies: traced } of points) {
    for (const { matched, rules } of traced)
      t.is(
        matched,
        rules.some((one) => one.matched),
        about,
      )
    if (verdict === 'not-reached') continue
    const enforced = traced.filter(({ dryRun }) => !dryRun)
    const isDenied =
      enforced.some(({ action, matched }) => matched && (action === 'DENY' || action === 'CUSTOM')) ||
      (enforced.some(({ action }) => action === 'ALLOW') &&
        !enforced.some(({ action, matched }) => action === 'ALLOW' && matched))
    t.is(verdict, isDenied ? 'denied' : 'allowed', about)
  }
  const deciding = points
    .flatMap(({ policies: traced }) => traced)
    .find((one) => one.kind === 'AuthorizationPolicy' && one.policy === decided)
  if (deciding !== undefined && index !== undefined)
    t.true(deciding.rules.find((one) => one.rule === index)?.matched, about)
  if (nearest === undefined) return
  t.is(outcome, 'denied', about)
  t.true(nearest.failed.length > 0 && nearest.failed.every(({ holds }) => !holds), about)
}
