// Policies and requests drawn from a small vocabulary, so that hits are as frequent as misses.
import test from 'ava'
import fc from 'fast-check'
import { authorizeRequest, CompiledRequestPolicies, type RequestPolicies, type RequestVerdict } from '../src/index.ts'
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

// --- the naive evaluator: written from the reference, sharing nothing with the compiled one ---

type Texts = readonly (string | undefined)[]

function hits(pattern: string, text: string | undefined, emptyIsPresent = false): boolean {
  if (text === undefined) return false
  if (pattern === '*') return emptyIsPresent || text.length > 0
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1))
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1))
  return text === pattern
}

function lists(positive: readonly string[], negative: readonly string[], hit: (value: string) => boolean): boolean {
  return (positive.length === 0 || positive.some(hit)) && !negative.some(hit)
}

function inNetwork(network: string, address: string): boolean {
  const [base = '', bits = '32'] = network.split('/')
  if (base.includes(':')) return false
  const binary = (ip: string): string =>
    ip
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('')
  return binary(address).startsWith(binary(base).slice(0, Number(bits)))
}

/** The reference says templates in terms of text: an operator stands for a regular expression. */
function pathHits(pattern: string, path: string): boolean {
  if (!/\{\*\*?\}/.test(pattern)) return hits(pattern, path)
  return new RegExp(`^${pattern.replace('{**}', '.REST').replaceAll('{*}', '[^/]+').replace('.REST', '.*')}$`).test(
    path,
  )
}

function naiveRule({ from = [], to = [], when = [] }: Rule, shape: RequestShape, allows: boolean): boolean {
  const http = shape.tcp !== true
  let asksHttp = false
  const httpLists = (
    positive: readonly string[],
    negative: readonly string[],
    hit: (value: string) => boolean,
  ): boolean => {
    if (positive.length + negative.length === 0) return true
    asksHttp = true
    return http ? lists(positive, negative, hit) : true
  }
  const { identity } = shape
  const [domain, , namespace, , account] = identity?.split('/') ?? []
  const subject = shape.token?.principal
  const fromHolds = from.map((s) =>
    [
      lists(s.principals ?? [], s.notPrincipals ?? [], (v) => hits(v, identity)),
      lists(s.namespaces ?? [], s.notNamespaces ?? [], (v) => hits(v, namespace)),
      lists(s.serviceAccounts ?? [], s.notServiceAccounts ?? [], (v) => v === `${namespace}/${account}`),
      lists(s.trustDomains ?? [], s.notTrustDomains ?? [], (v) => hits(v, domain)),
      lists(s.ipBlocks ?? [], s.notIpBlocks ?? [], (v) => inNetwork(v, shape.sourceIp ?? '')),
      lists(s.remoteIpBlocks ?? [], s.notRemoteIpBlocks ?? [], (v) => inNetwork(v, shape.remoteIp ?? '')),
      httpLists(s.requestPrincipals ?? [], s.notRequestPrincipals ?? [], (v) => hits(v, subject)),
    ].every(Boolean),
  )
  const toHolds = to.map((o) =>
    [
      httpLists(o.hosts ?? [], o.notHosts ?? [], (v) => hits(v.toLowerCase(), shape.host?.toLowerCase())),
      lists(o.ports ?? [], o.notPorts ?? [], (v) => v === String(shape.port)),
      httpLists(o.methods ?? [], o.notMethods ?? [], (v) => hits(v, shape.method)),
      httpLists(o.paths ?? [], o.notPaths ?? [], (v) => pathHits(v, shape.path ?? '')),
    ].every(Boolean),
  )
  const whenHolds = when.map(({ key, values = [], notValues = [] }) => {
    const claim = shape.token?.claims['team']
    const claimTexts: Texts = (Array.isArray(claim) ? claim : [claim]).filter((text) => typeof text === 'string')
    switch (key) {
      case 'request.headers[x-team]':
        return httpLists(values, notValues, (v) => hits(v, shape.headers?.['x-team'], true))
      case 'connection.sni':
        return lists(values, notValues, (v) => hits(v, shape.sni))
      case 'request.auth.claims[team]':
        return httpLists(values, notValues, (v) => claimTexts.some((text) => hits(v, text)))
      default:
        return lists(values, notValues, (v) => inNetwork(v, shape.destinationIp ?? ''))
    }
  })
  if (allows && !http && asksHttp) return false
  const any = (list: readonly boolean[]): boolean => list.length === 0 || list.includes(true)
  return any(fromHolds) && any(toHolds) && whenHolds.every(Boolean)
}

function naiveVerdict(list: readonly Policy[], shape: RequestShape): boolean {
  const enforced = list.filter(({ dryRun }) => dryRun !== true)
  const matches = ({ action, rules = [] }: Policy): boolean =>
    rules.some((rule) => naiveRule(rule, shape, action === ALLOW))
  if (enforced.some((policy) => policy.action === CUSTOM && matches(policy))) return false
  if (enforced.some((policy) => policy.action === DENY && matches(policy))) return false
  const allow = enforced.filter(({ action }) => action === ALLOW)
  return allow.length === 0 || allow.some(matches)
}

test('property: compiled policies decide as a naive reading of the reference does', (t) => {
  const seen = { allowed: 0, denied: 0 }
  fc.assert(
    fc.property(policies, requests, (list, shape) => {
      const { allowed } = verdictOf(list, shape)
      seen[allowed ? 'allowed' : 'denied']++
      t.is(allowed, naiveVerdict(list, shape), JSON.stringify({ list, shape }))
    }),
    { numRuns: 3_000 },
  )
  t.true(seen.allowed > 300 && seen.denied > 300, JSON.stringify(seen))
})

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
