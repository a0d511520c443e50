import test from 'ava'
import { authorizeRequest, CompiledRequestPolicies } from '../src/index.ts'
import {
  ALLOW,
  AUDIT,
  bytesOf,
  CUSTOM,
  DENY,
  type Policy,
  request,
  storeOf,
  traceOf,
  verdictOf,
} from './request-helpers.ts'

const EVERYTHING = [{}]
const GET_ONLY = [{ to: [{ methods: ['GET'] }] }]
const named = (name: string, policy: Policy): Policy => ({ namespace: 'shop', name, ...policy })

test('no policy: allowed', (t) => {
  t.deepEqual(verdictOf([]), { allowed: true, reason: 'no-allow-policies', dryRun: [], audited: [] })
})

test('an ALLOW without rules denies all, a DENY without rules nothing', (t) => {
  t.like(verdictOf([named('a', { action: ALLOW })]), {
    allowed: false,
    reason: 'not-allowed',
    details: 'rbac_access_denied_matched_policy[none]',
    unmatched: ['shop/a'],
  })
  t.true(verdictOf([{ action: DENY }]).allowed)
})

test('ALLOW policies are alternatives; the verdict names policy and rule', (t) => {
  const policies = [
    named('post', { action: ALLOW, rules: [{ to: [{ methods: ['POST'] }] }] }),
    named('get', { action: ALLOW, rules: [{ to: [{ paths: ['/x'] }] }, ...GET_ONLY] }),
  ]
  t.like(verdictOf(policies), { allowed: true, reason: 'allow-policy', policy: 'shop/get', rule: 1 })
  t.like(verdictOf(policies, { method: 'PUT' }), { allowed: false, unmatched: ['shop/post', 'shop/get'] })
})

test('DENY before ALLOW, in the words of Envoy', (t) => {
  const policies = [
    named('allow', { action: ALLOW, rules: EVERYTHING }),
    named('deny', { action: DENY, rules: [{ to: [{ paths: ['/y'] }] }, ...GET_ONLY] }),
  ]
  t.like(verdictOf(policies), {
    allowed: false,
    reason: 'deny-policy',
    policy: 'shop/deny',
    rule: 1,
    details: 'rbac_access_denied_matched_policy[ns[shop]-policy[deny]-rule[1]]',
  })
  t.true(verdictOf(policies, { method: 'PUT' }).allowed)
})

test('CUSTOM before DENY; one that matches can not be asked about and denies', (t) => {
  const policies = [
    named('deny', { action: DENY, rules: EVERYTHING }),
    named('custom', { action: CUSTOM, provider: 'opa', rules: GET_ONLY }),
  ]
  t.like(verdictOf(policies), { allowed: false, reason: 'unavailable', policy: 'shop/custom', rule: 0 })
  t.like(verdictOf(policies, { method: 'PUT' }), { allowed: false, reason: 'deny-policy' })
  t.true(verdictOf([policies[1]!], { method: 'PUT' }).allowed)
})

test('AUDIT is recorded and changes nothing', (t) => {
  const audit = named('audit', { action: AUDIT, rules: GET_ONLY })
  t.deepEqual(verdictOf([audit]), {
    allowed: true,
    reason: 'no-allow-policies',
    dryRun: [],
    audited: [{ action: 'Audit', policy: 'shop/audit', rule: 0 }],
  })
  t.deepEqual(verdictOf([audit], { method: 'PUT' }).audited, [])
  t.like(verdictOf([audit, { action: DENY, rules: EVERYTHING }]), {
    allowed: false,
    audited: [{ action: 'Audit', policy: 'shop/audit', rule: 0 }],
  })
})

test('dry-run policies of every action are reported and never count', (t) => {
  const policies = [ALLOW, DENY, AUDIT, CUSTOM].map((action, i) =>
    named(`d${i}`, { action, dryRun: true, rules: GET_ONLY }),
  )
  t.deepEqual(verdictOf(policies), {
    allowed: true,
    reason: 'no-allow-policies',
    audited: [],
    dryRun: (['Allow', 'Deny', 'Audit', 'Custom'] as const).map((action, i) => ({
      action,
      policy: `shop/d${i}`,
      rule: 0,
    })),
  })
  t.deepEqual(verdictOf(policies, { method: 'PUT' }).dryRun, [])
})

test('a policy in force that has not arrived denies, whatever the others say', (t) => {
  const policies = [named('allow', { action: ALLOW, rules: EVERYTHING })]
  t.like(verdictOf(policies, {}, { names: ['shop/allow', 'shop/late'] }), {
    allowed: false,
    reason: 'missing-policy',
    policy: 'shop/late',
    details: 'rbac_access_denied_matched_policy[none]',
  })
})

test('TCP: a rule of an ALLOW that asks about HTTP is dropped', (t) => {
  for (const rule of [
    { to: [{ methods: ['*'] }] },
    { to: [{ notMethods: ['GET'] }] },
    { to: [{ paths: ['/*'] }] },
    { to: [{ hosts: ['*'] }] },
    { to: [{ ports: ['80'] }, { ports: ['80'], notPaths: ['/x'] }] },
    { from: [{ notRequestPrincipals: ['*'] }] },
    { when: [{ key: 'request.headers[x]', notValues: ['*'] }] },
    { when: [{ key: 'request.auth.claims[x]', notValues: ['*'] }] },
    { when: [{ key: 'request.auth.audiences', notValues: ['*'] }] },
  ]) {
    t.like(verdictOf([{ action: ALLOW, rules: [rule] }], { tcp: true }), { allowed: false, reason: 'not-allowed' })
  }
  t.true(verdictOf([{ action: ALLOW, rules: [...GET_ONLY, { to: [{ ports: ['80'] }] }] }], { tcp: true }).allowed)
})

test('TCP: a DENY ignores what asks about HTTP, the rest still applies', (t) => {
  const deny = (rule: object, port = 80): boolean =>
    !verdictOf([{ action: DENY, rules: [rule] }], { tcp: true, port }).allowed
  t.true(deny({ to: [{ methods: ['POST'] }] }))
  t.true(deny({ to: [{ notHosts: ['*'] }] }))
  t.true(deny({ to: [{ methods: ['POST'], ports: ['80'] }] }))
  t.false(deny({ to: [{ methods: ['POST'], ports: ['80'] }] }, 81))
  t.true(deny({ from: [{ requestPrincipals: ['x/y'] }], to: [{ ports: ['80'] }] }))
  t.false(deny({ from: [{ requestPrincipals: ['x/y'] }], to: [{ ports: ['80'] }] }, 81))
  t.true(deny({ when: [{ key: 'request.headers[x]', values: ['y'] }] }))
})

test('TCP: connection.sni and remote.ip need no HTTP', (t) => {
  const rules = [
    {
      when: [
        { key: 'connection.sni', values: ['a.example'] },
        { key: 'remote.ip', values: ['10.0.0.0/8'] },
      ],
    },
  ]
  t.true(verdictOf([{ action: ALLOW, rules }], { tcp: true, sni: 'a.example' }).allowed)
  t.false(verdictOf([{ action: ALLOW, rules }], { tcp: true }).allowed)
})

test('what is not understood: an ALLOW rule never matches, a DENY or CUSTOM rule loses only that restriction', (t) => {
  const rule = { to: [{ methods: ['GET'] }], when: [{ key: 'experimental.envoy.filters.x[y]', values: ['z'] }] }
  t.false(verdictOf([{ action: ALLOW, rules: [rule] }]).allowed)
  for (const action of [DENY, CUSTOM]) {
    t.false(verdictOf([{ action, rules: [rule] }]).allowed)
    t.true(verdictOf([{ action, rules: [rule] }], { method: 'PUT' }).allowed)
  }
})

test('trust domain aliases: exact and prefixed principals of the mesh are those of each alias', (t) => {
  const domains = { trustDomain: 'new.example', trustDomainAliases: ['old.example'] }
  const allows = (principals: string[], identity: string): boolean =>
    verdictOf([{ action: ALLOW, rules: [{ from: [{ principals }] }] }], { identity }, { domains }).allowed
  const of = (domain: string): string => `${domain}/ns/shop/sa/web`
  for (const written of ['new.example', 'old.example', 'cluster.local']) {
    t.true(allows([of(written)], of('new.example')), written)
    t.true(allows([of(written)], of('old.example')), written)
    t.true(allows([`${written}/ns/shop/*`], of('old.example')), written)
  }
  t.false(allows([of('new.example')], of('far.example')))
  t.false(allows([of('far.example')], of('new.example')))
  t.true(allows([of('far.example')], of('far.example')))

  const excluding = (when: object): boolean =>
    verdictOf([{ action: ALLOW, rules: [when] }], { identity: of('old.example') }, { domains }).allowed
  t.false(excluding({ from: [{ notPrincipals: [of('new.example')] }] }))
  t.false(excluding({ when: [{ key: 'source.principal', notValues: [of('new.example')] }] }))
})

test('aliases that arrive later hold for policies that were compiled before', (t) => {
  const policy = named('p', { action: ALLOW, rules: [{ from: [{ principals: ['a.example/ns/x/sa/y'] }] }] })
  using policies = new CompiledRequestPolicies(storeOf([policy]), { trustDomain: 'a.example', trustDomainAliases: [] })
  const names = ['shop/p']
  const asked = (): boolean =>
    authorizeRequest(request({ identity: 'b.example/ns/x/sa/y' }), policies.policiesFor(names)).allowed
  t.false(asked())
  policies.setTrustDomains({ trustDomain: 'a.example', trustDomainAliases: ['b.example'] })
  t.true(asked())
})

test('candidates are sorted once, until a policy changes', (t) => {
  const store = storeOf([named('p', { action: DENY, rules: GET_ONLY })])
  using policies = new CompiledRequestPolicies(store)
  const names = ['shop/p', 'shop/p', 'shop/q']
  const before = policies.policiesFor(names)
  t.is(policies.policiesFor(names), before)
  t.is(before.deny.length, 1)
  t.deepEqual(before.missing, ['shop/q'])

  store.apply({
    upserts: [{ name: 'shop/q', bytes: bytesOf({ namespace: 'shop', name: 'q', action: ALLOW }) }],
    removed: [],
  })
  const after = policies.policiesFor(names)
  t.deepEqual([after.missing, after.allow.map(({ key }) => key)], [[], ['shop/q']])
  t.is(after.deny[0], before.deny[0], 'what has not changed is not compiled again')

  store.apply({ upserts: [], removed: ['shop/p'] })
  t.deepEqual(policies.policiesFor(names).missing, ['shop/p'])
})

test('trace: what each field of each rule said', (t) => {
  const policies = [
    named('deny', {
      action: DENY,
      rules: [{ from: [{ namespaces: ['x'] }, { principals: ['y'] }], to: [{ methods: ['GET'] }] }],
    }),
    named('allow', {
      action: ALLOW,
      rules: [{ when: [{ key: 'request.headers[a]', values: ['b'] }] }, { when: [{ key: 'what', values: ['b'] }] }, {}],
    }),
    named('trial', { action: DENY, dryRun: true, rules: EVERYTHING }),
  ]
  const trace = traceOf(policies)
  const principal = { actual: 'cluster.local/ns/shop/sa/web', notWanted: [] }
  const byNamespace = { field: 'from[0].source.namespaces', holds: false, wanted: ['x'], notWanted: [], actual: 'shop' }
  const byPrincipal = { field: 'from[1].source.principals', holds: false, wanted: ['y'], ...principal }
  const byMethod = { field: 'to[0].operation.methods', holds: true, wanted: ['GET'], notWanted: [], actual: 'GET' }
  const byHeader = { field: 'when[0][request.headers[a]]', holds: false, wanted: ['b'], notWanted: [] }
  t.deepEqual(trace, {
    allowed: true,
    decidedBy: { policy: 'shop/allow', rule: 2 },
    missing: [],
    policies: [
      {
        policy: 'shop/deny',
        action: 'Deny',
        dryRun: false,
        matched: false,
        rules: [{ rule: 0, matched: false, clauses: [byNamespace, byPrincipal, byMethod], missing: [byNamespace] }],
      },
      {
        policy: 'shop/allow',
        action: 'Allow',
        dryRun: false,
        matched: true,
        rules: [
          { rule: 0, matched: false, clauses: [byHeader], missing: [byHeader] },
          { rule: 1, matched: false, excluded: 'not-understood', clauses: [], missing: [] },
          { rule: 2, matched: true, clauses: [], missing: [] },
        ],
      },
      {
        policy: 'shop/trial',
        action: 'Deny',
        dryRun: true,
        matched: true,
        rules: [{ rule: 0, matched: true, clauses: [], missing: [] }],
      },
    ],
  })
  const [ofTcp] = traceOf([named('a', { action: ALLOW, rules: GET_ONLY })], { tcp: true }).policies
  t.like(ofTcp?.rules[0], { matched: false, excluded: 'not-http', missing: [] })
})

test('trace: the nearest alternative is what lacks least', (t) => {
  const from = [{ namespaces: ['x'], principals: ['y'] }, { principals: ['z'] }]
  const [policy] = traceOf([named('allow', { action: ALLOW, rules: [{ from, to: [{ methods: ['PUT'] }] }] })]).policies
  t.deepEqual(
    policy?.rules[0]?.missing.map(({ field }) => field),
    ['from[1].source.principals', 'to[0].operation.methods'],
  )
})

test('trace: it has an end, and the rule that matched is in it', (t) => {
  const rules = Array.from({ length: 600 }, () => ({ to: [{ methods: ['PUT'] }] }))
  const { policies, decidedBy } = traceOf([
    { action: DENY, rules },
    { action: DENY, rules: [...rules, {}] },
  ])
  t.deepEqual(
    policies.map((policy) => policy.rules.length),
    [600, 401],
  )
  t.deepEqual(decidedBy, { policy: 'shop/p1', rule: 600 })
})

test('an address nobody vouches for takes permissions away and gives none', (t) => {
  const inside = [{ from: [{ remoteIpBlocks: ['203.0.113.0/24'] }] }]
  const outside = [{ from: [{ notRemoteIpBlocks: ['203.0.113.0/24'] }] }]
  const forged = { claimedIp: '203.0.113.7' }
  t.false(verdictOf([{ action: ALLOW, rules: inside }], forged).allowed)
  t.false(verdictOf([{ action: ALLOW, rules: outside }], forged).allowed)
  t.false(verdictOf([{ action: DENY, rules: inside }], forged).allowed)
  t.like(verdictOf([named('only', { action: DENY, rules: outside })], forged), { allowed: false, policy: 'shop/only' })
  const both = [{ from: [{ remoteIpBlocks: ['203.0.113.0/24', '10.0.0.0/24'] }] }]
  t.true(verdictOf([{ action: ALLOW, rules: both }], forged).allowed)
  t.false(verdictOf([{ action: ALLOW, rules: both }], { claimedIp: '198.51.100.1' }).allowed)
})
