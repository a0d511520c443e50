import { ip, type SpiffeId } from '@ambit/core'
import {
  type Authorization,
  compileCidr,
  EMPTY_MATCH,
  type Match,
  PolicyStore,
  type StringMatch,
  type Workload,
} from '@ambit/state'
import test from 'ava'
import fc from 'fast-check'
import { authorizeConnection, type ConnectionFacts, NOT_ALLOWED, traceConnection } from '../src/index.ts'

const CLIENT: SpiffeId = { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'web' }

const exact = (value: string): StringMatch => ({ kind: 'exact', value })
const prefix = (value: string): StringMatch => ({ kind: 'prefix', value })
const suffix = (value: string): StringMatch => ({ kind: 'suffix', value })
const presence: StringMatch = { kind: 'presence' }
const net = (text: string, length: number) => compileCidr({ ip: ip(text), length })

function workload(policies: readonly string[] = []): Workload {
  return { uid: 'w', namespace: 'back', authorizationPolicies: policies } as unknown as Workload
}

function facts(identity: SpiffeId | undefined = CLIENT, policies: readonly string[] = []): ConnectionFacts {
  return {
    source: { ip: ip('10.0.0.5'), port: 40_000 },
    sourceIdentity: identity,
    destination: { ip: ip('10.0.1.9'), port: 8080 },
    workload: workload(policies),
  }
}

function plaintext(policies: readonly string[] = []): ConnectionFacts {
  const { sourceIdentity: _, ...rest } = facts(CLIENT, policies)
  return rest
}

function policy(over: Partial<Authorization> = {}): Authorization {
  return { name: 'p', namespace: 'back', scope: 'Namespace', action: 'Allow', dryRun: false, rules: [], ...over }
}

const ruleOf = (...clauses: readonly (readonly Match[])[]) => ({ clauses: clauses.map((matches) => ({ matches })) })
const EVERYTHING = [ruleOf()]

function lookup(...policies: readonly Authorization[]): PolicyStore {
  const store = new PolicyStore()
  store.put(policies)
  return store
}

function holds(match: Partial<Match>, connection: ConnectionFacts = facts()): boolean {
  return authorizeConnection(connection, lookup(policy({ rules: [ruleOf([{ ...EMPTY_MATCH, ...match }])] }))).allowed
}

const matches = test.macro({
  exec(t, match: Partial<Match>, withIdentity: boolean, asPlaintext: boolean) {
    t.is(holds(match), withIdentity, 'with an identity')
    t.is(holds(match, plaintext()), asPlaintext, 'in plain text')
  },
  title: (name) => `match: ${name}`,
})

test('all lists empty never holds', matches, {}, false, false)
test('exact principal', matches, { principals: [exact('cluster.local/ns/shop/sa/web')] }, true, false)
test(
  'a principal written with its scheme never hits',
  matches,
  { principals: [exact('spiffe://cluster.local/ns/shop/sa/web')] },
  false,
  false,
)
test('principals are case sensitive', matches, { principals: [exact('cluster.local/ns/Shop/sa/web')] }, false, false)
test('prefix of a principal', matches, { principals: [prefix('cluster.local/ns/shop/')] }, true, false)
test('suffix of a principal', matches, { principals: [suffix('/sa/web')] }, true, false)
test('any principal', matches, { principals: [presence] }, true, false)
test('empty prefix of a principal still needs an identity', matches, { principals: [prefix('')] }, true, false)
test('not any principal: only plain text', matches, { notPrincipals: [presence] }, false, true)
test('not another principal', matches, { notPrincipals: [exact('x')] }, true, true)
test('exact namespace', matches, { namespaces: [exact('shop')] }, true, false)
test('the namespace of plain text is empty', matches, { namespaces: [exact('')] }, false, true)
test('empty prefix of a namespace', matches, { namespaces: [prefix('')] }, true, true)
test('empty suffix of a namespace', matches, { namespaces: [suffix('')] }, true, true)
test('any namespace', matches, { namespaces: [presence] }, true, false)
test('not a namespace', matches, { notNamespaces: [exact('shop')] }, false, true)
test('service account', matches, { serviceAccounts: [{ namespace: 'shop', serviceAccount: 'web' }] }, true, false)
test(
  'service account of another namespace',
  matches,
  { serviceAccounts: [{ namespace: 'x', serviceAccount: 'web' }] },
  false,
  false,
)
test(
  'not a service account',
  matches,
  { notServiceAccounts: [{ namespace: 'shop', serviceAccount: 'web' }] },
  false,
  true,
)
test('source network', matches, { sourceIps: [net('10.0.0.0', 24)] }, true, true)
test('source network of another family', matches, { sourceIps: [net('::', 0)] }, false, false)
test('any IPv4 source', matches, { sourceIps: [net('0.0.0.0', 0)] }, true, true)
test('source network missed by one bit', matches, { sourceIps: [net('10.0.0.0', 30)] }, false, false)
test('not a source network', matches, { notSourceIps: [net('10.0.0.5', 32)] }, false, false)
test('destination network', matches, { destinationIps: [net('10.0.1.9', 32)] }, true, true)
test('not a destination network', matches, { notDestinationIps: [net('10.0.0.0', 8)] }, false, false)
test('destination port', matches, { destinationPorts: [80, 8080] }, true, true)
test('not a destination port', matches, { notDestinationPorts: [8080] }, false, false)
test(
  'a positive hit loses to a negative one',
  matches,
  { principals: [presence], notPrincipals: [suffix('/web')] },
  false,
  false,
)
test('all dimensions must hold', matches, { destinationPorts: [8080], namespaces: [exact('other')] }, false, false)

const DENY_ALL = policy({ name: 'deny', action: 'Deny', rules: EVERYTHING })
const ALLOW_ALL = policy({ name: 'allow', rules: EVERYTHING })
const ALLOW_NONE = policy({ name: 'none' })

const verdict = test.macro({
  exec(
    t,
    policies: readonly Authorization[],
    allowed: boolean,
    reason: string,
    evidence?: { policy?: string; rule?: number },
  ) {
    const result = authorizeConnection(facts(), lookup(...policies))
    t.is(result.allowed, allowed)
    t.is(result.reason, reason)
    t.is(result.policy, evidence?.policy)
    t.is(result.rule, evidence?.rule)
  },
  title: (name) => `verdict: ${name}`,
})

test('no policies allow', verdict, [], true, 'no-allow-policies')
test('DENY wins over ALLOW', verdict, [ALLOW_ALL, DENY_ALL], false, 'explicitly denied by: back/deny', {
  policy: 'back/deny',
  rule: 0,
})
test('a matching ALLOW allows', verdict, [ALLOW_NONE, ALLOW_ALL], true, 'allow-policy', {
  policy: 'back/allow',
  rule: 0,
})
test('ALLOW without rules denies all', verdict, [ALLOW_NONE], false, NOT_ALLOWED)
test('DENY without rules denies nothing', verdict, [policy({ action: 'Deny' })], true, 'no-allow-policies')
test('a dry-run DENY denies nothing', verdict, [{ ...DENY_ALL, dryRun: true }], true, 'no-allow-policies')
test('a dry-run ALLOW does not deny by default', verdict, [{ ...ALLOW_NONE, dryRun: true }], true, 'no-allow-policies')
test('a dry-run ALLOW allows nothing', verdict, [ALLOW_NONE, { ...ALLOW_ALL, dryRun: true }], false, NOT_ALLOWED)
test('another namespace has no say', verdict, [{ ...DENY_ALL, namespace: 'other' }], true, 'no-allow-policies')
test(
  'a global policy has',
  verdict,
  [{ ...DENY_ALL, namespace: 'istio-system', scope: 'Global' }],
  false,
  'explicitly denied by: istio-system/deny',
  { policy: 'istio-system/deny', rule: 0 },
)
test(
  'a selector policy applies only where it is listed',
  verdict,
  [{ ...DENY_ALL, scope: 'WorkloadSelector' }],
  true,
  'no-allow-policies',
)
test(
  'the first matching rule is named',
  verdict,
  [policy({ rules: [ruleOf([EMPTY_MATCH]), ruleOf([])] })],
  true,
  'allow-policy',
  { policy: 'back/p', rule: 1 },
)
test('clauses must all hold', verdict, [policy({ rules: [ruleOf([], [EMPTY_MATCH])] })], false, NOT_ALLOWED)
test(
  'matches of a clause are alternatives',
  verdict,
  [policy({ rules: [ruleOf([EMPTY_MATCH, { ...EMPTY_MATCH, destinationPorts: [8080] }])] })],
  true,
  'allow-policy',
  { policy: 'back/p', rule: 0 },
)

test('a listed selector policy is enforced and a missing one reported', (t) => {
  const strict = policy({
    name: 'strict',
    action: 'Deny',
    scope: 'WorkloadSelector',
    rules: [ruleOf([{ ...EMPTY_MATCH, notPrincipals: [presence] }])],
  })
  const listed = ['back/strict', 'back/unknown']
  t.true(authorizeConnection(facts(CLIENT, listed), lookup(strict)).allowed)
  const denied = authorizeConnection(plaintext(listed), lookup(strict))
  t.false(denied.allowed)
  t.is(denied.reason, 'explicitly denied by: back/strict')
  t.deepEqual(denied.missing, ['back/unknown'])
})

test('a namespace policy that a workload lists is not counted twice', (t) => {
  const { policies } = traceConnection(facts(CLIENT, ['back/allow']), lookup(ALLOW_ALL))
  t.deepEqual(
    policies.map(({ policy }) => policy),
    ['back/allow'],
  )
})

test('dry-run outcomes are reported with their rule', (t) => {
  const result = authorizeConnection(facts(), lookup({ ...DENY_ALL, dryRun: true }, { ...ALLOW_NONE, dryRun: true }))
  t.deepEqual(result.dryRun, [{ action: 'Deny', policy: 'back/deny', rule: 0 }])
})

const strings = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const),
      value: fc.constantFrom('', 'shop', 'web', 'cluster.local/ns/shop/sa/web'),
    }),
    fc.constant(presence),
  ),
  { maxLength: 2 },
)
const networks = fc.array(fc.constantFrom(net('10.0.0.0', 8), net('10.0.0.5', 32), net('::1', 128)), { maxLength: 2 })
const ports = fc.array(fc.constantFrom(80, 8080), { maxLength: 2 })
const accounts = fc.array(
  fc.constantFrom({ namespace: 'shop', serviceAccount: 'web' }, { namespace: 'x', serviceAccount: 'y' }),
  { maxLength: 1 },
)
const anyMatch: fc.Arbitrary<Match> = fc.record({
  namespaces: strings,
  notNamespaces: strings,
  principals: strings,
  notPrincipals: strings,
  serviceAccounts: accounts,
  notServiceAccounts: accounts,
  sourceIps: networks,
  notSourceIps: networks,
  destinationIps: networks,
  notDestinationIps: networks,
  destinationPorts: ports,
  notDestinationPorts: ports,
})
const anyPolicy = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  namespace: fc.constantFrom('back', 'other'),
  scope: fc.constantFrom('Global' as const, 'Namespace' as const, 'WorkloadSelector' as const),
  action: fc.constantFrom('Allow' as const, 'Deny' as const),
  dryRun: fc.boolean(),
  rules: fc.array(
    fc.record({ clauses: fc.array(fc.record({ matches: fc.array(anyMatch, { maxLength: 2 }) }), { maxLength: 2 }) }),
    { maxLength: 2 },
  ),
})
const anyFacts = fc.constantFrom(facts(), plaintext(), facts(CLIENT, ['back/a', 'other/b']), plaintext(['back/a']))

test('adding a DENY policy never lets anything in', (t) => {
  fc.assert(
    fc.property(fc.array(anyPolicy, { maxLength: 5 }), anyPolicy, anyFacts, (policies, added, connection) => {
      const before = authorizeConnection(connection, lookup(...policies)).allowed
      const deny = { ...added, name: 'added', action: 'Deny' as const }
      return before || !authorizeConnection(connection, lookup(...policies, deny)).allowed
    }),
  )
  t.pass()
})

test('dry-run policies never change the outcome', (t) => {
  fc.assert(
    fc.property(fc.array(anyPolicy, { maxLength: 5 }), anyPolicy, anyFacts, (policies, added, connection) => {
      const before = authorizeConnection(connection, lookup(...policies))
      const after = authorizeConnection(connection, lookup(...policies, { ...added, name: 'added', dryRun: true }))
      return before.allowed === after.allowed && before.reason === after.reason
    }),
  )
  t.pass()
})

test('once an ALLOW policy applies, only a matching one lets anything in', (t) => {
  fc.assert(
    fc.property(fc.array(anyPolicy, { maxLength: 5 }), anyFacts, (policies, connection) => {
      const store = lookup(...policies, ALLOW_NONE)
      const result = authorizeConnection(connection, store)
      return !result.allowed || result.reason === 'allow-policy'
    }),
  )
  t.pass()
})
