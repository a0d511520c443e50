// Policies and requests drawn from a small vocabulary, so that hits are as frequent as misses.
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import {
  authorizeRequest,
  CompiledRequestPolicies,
  type PolicyEvidence,
  type RequestPolicies,
  type RequestVerdict,
  traceRequest,
} from '../src/index.ts'
import { naiveVerdict } from './naive-request.ts'
import {
  ALLOW,
  AUDIT,
  CUSTOM,
  DENY,
  type Policy,
  type RequestShape,
  type Rule,
  request,
  storeOf,
  token,
  verdictOf,
} from './request-helpers.ts'

const NAMESPACES = ['shop', 'back']
const PRINCIPALS = NAMESPACES.flatMap((ns) => ['web', 'api'].map((sa) => `cluster.local/ns/${ns}/sa/${sa}`))
const IPS = ['10.0.0.5', '10.0.1.5', '203.0.113.7']
const NETWORKS = ['10.0.0.0/24', '10.0.0.0/16', '203.0.113.7', '0.0.0.0/0', '::/0']
const PATHS = ['/', '/a', '/a/b', '/a/b/c', '/b', '//a']
const PATTERNS = ['/a', '/a*', '*b', '*', '/{*}', '/a/{*}', '/{**}', '/a/{**}', '/{**}/b', '/{*}/{**}/c']
const METHODS = ['GET', 'POST', 'PUT']
const HOSTS = ['a.example', 'A.Example', 'b.example:80']
const TEXTS = ['*', '', 'r*', '*d', 'red', 'blue']

const some = <T>(of: readonly T[]): fc.Arbitrary<T[]> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<T[]>([]) },
    { weight: 2, arbitrary: fc.subarray([...of], { minLength: 1, maxLength: 2 }) },
  )

const sources = fc.record({
  principals: some([...PRINCIPALS, '*', 'cluster.local/ns/shop/*', '*/web']),
  notPrincipals: some([...PRINCIPALS, '*', '*/web']),
  namespaces: some([...NAMESPACES, 's*', '*k', '*']),
  notNamespaces: some([...NAMESPACES, '*']),
  serviceAccounts: some(['shop/web', 'back/api']),
  notServiceAccounts: some(['shop/web', 'back/api']),
  trustDomains: some(['cluster.local', '*']),
  ipBlocks: some(NETWORKS),
  notIpBlocks: some(NETWORKS),
  remoteIpBlocks: some(NETWORKS),
  notRemoteIpBlocks: some(NETWORKS),
  requestPrincipals: some(['*', 'https://issuer.example/ann']),
  notRequestPrincipals: some(['*', 'https://issuer.example/ann']),
})

const operations = fc.record({
  hosts: some([...HOSTS, '*', 'a*', '*:80']),
  notHosts: some([...HOSTS, 'B*']),
  ports: some(['80', '443']),
  notPorts: some(['80', '443']),
  methods: some([...METHODS, 'P*', '*T', '*']),
  notMethods: some([...METHODS, 'P*']),
  paths: some(PATTERNS),
  notPaths: some(PATTERNS),
})

const conditions = fc
  .tuple(
    fc.oneof(
      fc.record({ key: fc.constant('request.headers[x-team]'), values: some(TEXTS), notValues: some(TEXTS) }),
      fc.record({ key: fc.constant('connection.sni'), values: some(TEXTS), notValues: some(TEXTS) }),
      fc.record({ key: fc.constant('request.auth.claims[team]'), values: some(TEXTS), notValues: some(TEXTS) }),
      fc.record({ key: fc.constant('destination.ip'), values: some(NETWORKS), notValues: some(NETWORKS) }),
    ),
  )
  .map(([condition]) => condition)
  .filter(({ values, notValues }) => values.length + notValues.length > 0)

const rules = fc.record({
  from: fc.array(sources, { maxLength: 2 }),
  to: fc.array(operations, { maxLength: 2 }),
  when: fc.array(conditions, { maxLength: 2 }),
})

const policy = fc.record({
  action: fc.constantFrom(ALLOW, ALLOW, DENY, AUDIT, CUSTOM),
  dryRun: fc.constantFrom(false, false, true),
  rules: fc.array(rules, { maxLength: 2 }),
})

const policies = fc.array(policy, { minLength: 1, maxLength: 3 })

const requests: fc.Arbitrary<RequestShape> = fc
  .record({
    identity: fc.option(fc.constantFrom(...PRINCIPALS), { nil: undefined }),
    sourceIp: fc.constantFrom(...IPS),
    remoteIp: fc.constantFrom(...IPS),
    destinationIp: fc.constantFrom(...IPS),
    port: fc.constantFrom(80, 443),
    method: fc.constantFrom(...METHODS),
    path: fc.constantFrom(...PATHS),
    host: fc.constantFrom(...HOSTS),
    team: fc.option(fc.constantFrom('red', 'blue', ''), { nil: undefined }),
    claim: fc.option(fc.constantFrom('red', ['blue', 'red'], 7, ''), { nil: undefined }),
    sni: fc.option(fc.constantFrom('red', 'blue'), { nil: undefined }),
    tcp: fc.constantFrom(false, false, false, true),
  })
  .map(({ team, claim, sni, ...rest }) => ({
    ...rest,
    ...(team === undefined ? {} : { headers: { 'x-team': team } }),
    ...(claim === undefined ? {} : { token: token({ claims: { team: claim } }) }),
    ...(sni === undefined ? {} : { sni }),
  }))

test('property: compiled policies decide as a naive reading of the reference does, and their traces say so', (t) => {
  const seen = { allowed: 0, denied: 0, missing: 0, custom: 0, tcp: 0, claimed: 0 }
  const claims = fc.option(fc.constantFrom(...IPS), { nil: undefined })
  const property = fc.property(policies, requests, fc.nat(9), claims, (list, shape, draw, claimedIp) => {
    const isMissing = draw === 0
    const store = storeOf(list)
    using compiled = new CompiledRequestPolicies(store)
    const known = [...store.policies()].map(({ namespace, name }) => `${namespace}/${name}`)
    const found = compiled.policiesFor(isMissing ? [...known, 'shop/not-there'] : known)
    const facts = request(claimedIp === undefined ? shape : { ...shape, claimedIp })
    const verdict = authorizeRequest(facts, found)
    const trace = traceRequest(facts, found)
    const claimed = claimedIp === undefined || naiveVerdict(list, { ...shape, remoteIp: claimedIp }, isMissing)
    const expected = naiveVerdict(list, shape, isMissing) && claimed
    seen[verdict.allowed ? 'allowed' : 'denied']++
    if (isMissing) seen.missing++
    if (!verdict.allowed && verdict.reason === 'unavailable') seen.custom++
    if (shape.tcp === true) seen.tcp++
    if (claimedIp !== undefined && !claimed) seen.claimed++
    const about = JSON.stringify({ list, shape, claimedIp })
    t.is(verdict.allowed, expected, about)
    t.is(trace.allowed, expected, about)
    // A policy that is not there has no rules to show.
    if (!isMissing && verdict.rule !== undefined)
      t.deepEqual(trace.decidedBy, { policy: verdict.policy, rule: verdict.rule }, about)
    if (!isMissing && verdict.rule === undefined) t.is(trace.decidedBy, undefined, about)
    for (const one of trace.policies) assertRules(t, one, about)
    t.deepEqual(
      verdict.dryRun.map(({ policy }) => policy).toSorted(),
      trace.policies.flatMap((one) => (one.dryRun && one.matched ? [one.policy] : [])).toSorted(),
    )
  })
  fc.assert(property, { numRuns: 5_000 })
  for (const [what, count] of Object.entries(seen)) t.true(count > 100, `${what}: ${count}`)
})

/** What is said of the parts is what is said of the whole. */
function assertRules(t: ExecutionContext, { matched, rules }: PolicyEvidence, about: string): void {
  t.is(
    matched,
    rules.some((rule) => rule.matched),
    about,
  )
  for (const rule of rules) {
    if (rule.excluded === undefined) t.is(rule.matched, rule.missing.length === 0, about)
    t.true(rule.missing.every((clause) => !clause.holds && rule.clauses.includes(clause)))
    t.true(rule.clauses.every(({ wanted, notWanted }) => wanted.length + notWanted.length > 0))
  }
}

/** More than the few that are asked one by one, so that they are found by their literals. */
const MANY = 8
const manyPolicies = fc.array(policy, { minLength: MANY, maxLength: 3 * MANY })

test('property: many policies, too, decide as a naive reading does, in the words and with the traces of one by one', (t) => {
  const seen = { allowed: 0, denied: 0 }
  const property = fc.property(manyPolicies, fc.array(requests, { minLength: 1, maxLength: 5 }), (list, shapes) => {
    const store = storeOf(list)
    using compiled = new CompiledRequestPolicies(store)
    const found = compiled.policiesFor([...store.policies()].map(({ namespace, name }) => `${namespace}/${name}`))
    for (const shape of shapes) {
      const verdict = authorizeRequest(request(shape), found)
      seen[verdict.allowed ? 'allowed' : 'denied']++
      t.is(verdict.allowed, naiveVerdict(list, shape), JSON.stringify({ list, shape }))
      t.deepEqual(verdict, oneByOne(found, shape))
    }
  })
  fc.assert(property, { numRuns: 1_500 })
  t.true(seen.allowed > 100 && seen.denied > 100, JSON.stringify(seen))
})

/** The verdict when each policy is asked alone, in order; asked of lists so short that nothing is looked up. */
function oneByOne({ custom, audit, deny, allow, dryRun }: RequestPolicies, shape: RequestShape): RequestVerdict {
  const facts = request(shape)
  const alone = (list: Partial<RequestPolicies>): RequestVerdict =>
    authorizeRequest(facts, { missing: [], custom: [], audit: [], deny: [], allow: [], dryRun: [], ...list })
  const traces = {
    dryRun: dryRun.flatMap((one) => alone({ dryRun: [one] }).dryRun),
    audited: audit.flatMap((one) => alone({ audit: [one] }).audited),
  }
  const verdicts = [...custom.map((one) => alone({ custom: [one] })), ...deny.map((one) => alone({ deny: [one] }))]
  const denial = verdicts.find(({ allowed }) => !allowed)
  if (denial !== undefined) return { ...denial, ...traces }
  if (allow.length === 0) return { ...alone({}), ...traces }
  const permits = allow.map((one) => alone({ allow: [one] }))
  const permit = permits.find(({ allowed }) => allowed)
  if (permit !== undefined) return { ...permit, ...traces }
  const refusal = permits[0] as RequestVerdict
  return { ...refusal, ...traces, unmatched: allow.map(({ key }) => key) } as RequestVerdict
}

test('of many policies for requests few are asked', (t) => {
  const count = 1_000
  const list = Array.from(
    { length: count },
    (_, i): Policy => ({
      action: ALLOW,
      rules: [
        {
          from: [{ principals: [`cluster.local/ns/n${i % 10}/sa/web`] }],
          to: [{ paths: [`/api/${i}/*`] }],
        },
      ],
    }),
  )
  const store = storeOf(list)
  using compiled = new CompiledRequestPolicies(store)
  const found = compiled.policiesFor([...store.policies()].map(({ namespace, name }) => `${namespace}/${name}`))
  let asked = 0
  const counted = found.allow.map((one) => ({
    ...one,
    rules: one.rules.map((rule) => ({
      ...rule,
      get never() {
        asked++
        return rule.never
      },
    })),
  }))
  const judge = (path: string): boolean =>
    authorizeRequest(request({ identity: 'cluster.local/ns/n7/sa/web', path }), { ...found, allow: counted }).allowed
  t.true(judge('/api/777/x'))
  t.false(judge('/api/776/x'))
  asked = 0
  t.true(judge('/api/77/x'))
  t.true(asked <= 3, `${asked} rules`)
})

/** Ways to make a rule say something that is not understood: a value that is no value, a key nobody knows, a field of another version. */
const CORRUPTIONS: readonly ((rule: Rule) => Rule)[] = [
  (rule) => ({ ...rule, unknown: ['to[0].operation.weather'] }),
  (rule) => ({ ...rule, when: [...(rule.when ?? []), { key: 'request.weather', values: ['rain'] }] }),
  (rule) => ({ ...rule, when: (rule.when ?? []).map((condition) => ({ ...condition, key: 'request.weather' })) }),
  (rule) => ({ ...rule, from: (rule.from ?? []).map((source) => ({ ...source, ipBlocks: damaged(source.ipBlocks) })) }),
  (rule) => ({
    ...rule,
    from: (rule.from ?? []).map((source) => ({ ...source, notIpBlocks: damaged(source.notIpBlocks) })),
  }),
  (rule) => ({
    ...rule,
    from: (rule.from ?? []).map((source) => ({ ...source, serviceAccounts: damaged(source.serviceAccounts, 'a/b/c') })),
  }),
  (rule) => ({
    ...rule,
    from: (rule.from ?? []).map((source) => ({ ...source, notNamespaces: damaged(source.notNamespaces, 's*p') })),
  }),
  (rule) => ({
    ...rule,
    to: (rule.to ?? []).map((operation) => ({ ...operation, ports: damaged(operation.ports, '80a') })),
  }),
  (rule) => ({
    ...rule,
    to: (rule.to ?? []).map((operation) => ({ ...operation, notPorts: damaged(operation.notPorts, '0') })),
  }),
  (rule) => ({
    ...rule,
    to: (rule.to ?? []).map((operation) => ({ ...operation, paths: damaged(operation.paths, '/a{*}') })),
  }),
  (rule) => ({
    ...rule,
    to: (rule.to ?? []).map((operation) => ({ ...operation, notPaths: damaged(operation.notPaths, '/{**}/{*}') })),
  }),
]

/** The first value replaced by one that can not be read; where there was none it is the only one. */
function damaged(list: readonly string[] | undefined, by = '10.0.0.0/40'): string[] {
  return [by, ...(list ?? []).slice(1)]
}

/** Mostly one policy of one rule, where one value decides. */
const someAlone = fc.oneof(
  { weight: 1, arbitrary: policies },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(ALLOW, DENY), operations, sources, fc.boolean())
      .map(([action, to, from, first]): Policy[] => [{ action, rules: [first ? { to: [to] } : { from: [from] }] }]),
  },
)

test('property: what is not understood never lets in more', (t) => {
  let narrowed = 0
  fc.assert(
    fc.property(someAlone, requests, fc.constantFrom(...CORRUPTIONS), fc.nat(), (list, shape, corrupt, which) => {
      const target = which % list.length
      const corrupted = list.map((policy, i) =>
        i === target ? { ...policy, rules: (policy.rules ?? []).map(corrupt) } : policy,
      )
      const before = verdictOf(list, shape).allowed
      const after = verdictOf(corrupted, shape).allowed
      if (before && !after) narrowed++
      t.true(before || !after, JSON.stringify({ list, corrupted, shape }))
    }),
    { numRuns: 4_000 },
  )
  t.true(narrowed > 50, `only ${narrowed} cases made a difference`)
})
