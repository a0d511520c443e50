import { ip, type SpiffeId } from '@ambit/core'
import {
  type Authorization,
  compileCidr,
  EMPTY_MATCH,
  type Match,
  PolicyStore,
  policyKey,
  type Workload,
} from '@ambit/state'
import test from 'ava'
import fc from 'fast-check'
import { authorizeConnection, type ConnectionFacts, traceConnection, type Verdict } from '../src/index.ts'
import { scanPolicies } from './scan-policies.ts'

const TEXTS = ['', 'a', 'ab', 'b', 'td/ns/a/sa/b', 'td/ns/ab/sa/b', 'td/ns/', '/sa/b', '/b', 'td/ns/a/sa/b2']
const texts = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('exact', 'prefix', 'suffix'), value: fc.constantFrom(...TEXTS) }),
    fc.constantFrom({ kind: 'presence' as const }, { kind: 'any' as const }),
  ),
  { maxLength: 2 },
)
const ANYWHERE = { cidr: { ip: ip('::'), length: 0 }, contains: () => true }
const cidr = (address: string, length: number) => compileCidr({ ip: ip(address), length })
const networks = fc.array(
  fc.constantFrom(
    ANYWHERE,
    cidr('0.0.0.0', 0),
    cidr('::', 0),
    cidr('10.0.0.0', 8),
    cidr('10.0.0.77', 24),
    cidr('10.0.0.4', 31),
    cidr('10.0.0.5', 32),
    cidr('fd00::', 8),
    cidr('fd00::5', 127),
    cidr('fd00::5', 128),
    cidr('fd00::', 13),
  ),
  { maxLength: 2 },
)
const accounts = fc.array(
  fc.record({ namespace: fc.constantFrom('a', 'ab', ''), serviceAccount: fc.constantFrom('b', 'c') }),
  { maxLength: 2 },
)
const ports = fc.array(fc.constantFrom(0, 80, 8080), { maxLength: 2 })
const often = <T>(list: fc.Arbitrary<T[]>) => fc.oneof({ weight: 3, arbitrary: fc.constant([] as T[]) }, list)
const anyMatch = fc.record({
  namespaces: often(texts),
  notNamespaces: often(texts),
  principals: often(texts),
  notPrincipals: often(texts),
  serviceAccounts: often(accounts),
  notServiceAccounts: often(accounts),
  sourceIps: often(networks),
  notSourceIps: often(networks),
  destinationIps: often(networks),
  notDestinationIps: often(networks),
  destinationPorts: often(ports),
  notDestinationPorts: often(ports),
}) as fc.Arbitrary<Match>
const anyPolicy: fc.Arbitrary<Authorization> = fc.record({
  name: fc.constantFrom('p', 'q', 'r', 's', 't', 'u'),
  namespace: fc.constantFrom('back', 'other', ''),
  scope: fc.constantFrom('Global', 'Namespace', 'WorkloadSelector'),
  action: fc.constantFrom('Allow', 'Deny'),
  dryRun: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
  rules: fc.array(
    fc.record({ clauses: fc.array(fc.record({ matches: fc.array(anyMatch, { maxLength: 3 }) }), { maxLength: 2 }) }),
    { maxLength: 3 },
  ),
})
const anyIdentity: fc.Arbitrary<SpiffeId | undefined> = fc.option(
  fc.record({
    trustDomain: fc.constant('td'),
    namespace: fc.constantFrom('a', 'ab'),
    serviceAccount: fc.constantFrom('b', 'b2', 'c'),
  }),
  { nil: undefined },
)
const anyIp = fc
  .constantFrom('10.0.0.5', '10.0.0.4', '10.9.9.9', '192.168.1.1', 'fd00::4', 'fd00::5', 'fe80::1')
  .map(ip)
const anyWorkload = fc.record({
  uid: fc.constant('w'),
  namespace: fc.constantFrom('back', 'other', ''),
  authorizationPolicies: fc.array(fc.constantFrom('back/p', 'back/q', 'other/r', '/s', 'back/none'), { maxLength: 3 }),
}) as unknown as fc.Arbitrary<Workload>
const anyFacts: fc.Arbitrary<ConnectionFacts> = fc.record({
  source: fc.record({ ip: anyIp, port: fc.constant(40_000) }),
  sourceIdentity: anyIdentity,
  destination: fc.record({ ip: anyIp, port: fc.constantFrom(0, 80, 8080, 9) }),
  workload: anyWorkload,
})

function decided({ policy, rule }: Pick<Verdict, 'policy' | 'rule'>): unknown {
  return policy === undefined ? undefined : { policy, rule }
}

test('verdict, trace and a naive reading of the reference agree: reason, policy, rule, dry-run matches, names', (t) => {
  const reasons = new Map<string, number>()
  const property = fc.property(
    fc.array(anyPolicy, { maxLength: 8 }),
    fc.array(anyFacts, { minLength: 1 }),
    (policies, asked) => {
      const store = new PolicyStore()
      // One by one, so that places fill and empty again.
      for (const policy of policies) store.put([policy])
      for (const facts of asked) {
        const { unmatched, ...verdict } = {
          unmatched: undefined,
          ...authorizeConnection(facts, store),
        }
        const { unmatched: expectedUnmatched, ...expected } = { unmatched: undefined, ...scanPolicies(facts, policies) }
        t.deepEqual(verdict, expected)
        t.deepEqual(unmatched, expectedUnmatched)
        const trace = traceConnection(facts, store)
        t.is(trace.allowed, verdict.allowed)
        t.deepEqual(trace.decidedBy, decided(verdict))
        t.deepEqual(
          trace.policies.flatMap((one) => (one.dryRun && one.matched ? [one.policy] : [])).toSorted(),
          verdict.dryRun.map(({ policy }) => policy).toSorted(),
        )
        const reason = verdict.reason.split(':')[0] ?? ''
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      }
    },
  )
  fc.assert(property, { numRuns: 2_000 })
  for (const reason of [
    'explicitly denied by',
    'allow-policy',
    'no-allow-policies',
    'allow policies exist, but none allowed',
  ])
    t.true((reasons.get(reason) ?? 0) > 50, `${reason}: ${reasons.get(reason)}`)
})

test('a policy that was replaced or removed leaves nothing in the index', (t) => {
  const property = fc.property(
    fc.array(anyPolicy, { maxLength: 6 }),
    fc.array(anyFacts, { minLength: 1 }),
    (policies, asked) => {
      const store = new PolicyStore()
      store.put(policies)
      store.apply({ upserts: [], removed: policies.map(policyKey) })
      for (const facts of asked) t.deepEqual(store.policiesFor(facts.workload).policies, [])
      store.put(policies)
      for (const facts of asked) {
        t.is(authorizeConnection(facts, store).allowed, scanPolicies(facts, policies).allowed)
      }
    },
  )
  fc.assert(property, { numRuns: 500 })
})

const COUNT = 2_000

/** Rules looked at for one verdict, by a getter that counts. */
function counted(match: (index: number) => Partial<Match>, over: Partial<Authorization> = {}) {
  const counter = { lookedAt: 0 }
  const policies = Array.from({ length: COUNT }, (_, i): Authorization => {
    const clauses = [{ matches: [{ ...EMPTY_MATCH, ...match(i) }] }]
    const rule = {
      get clauses() {
        counter.lookedAt++
        return clauses
      },
    }
    return {
      name: `p${i}`,
      namespace: 'back',
      scope: 'Namespace',
      action: 'Allow',
      dryRun: false,
      rules: [rule],
      ...over,
    }
  })
  const store = new PolicyStore()
  store.put(policies)
  const names = policies.map(policyKey)
  return (client: number): { readonly allowed: boolean; readonly lookedAt: number } => {
    const facts = {
      source: { ip: ip(`10.${client >> 8}.${client & 255}.7`), port: 40_000 },
      sourceIdentity: { trustDomain: 'td', namespace: `ns-${client}`, serviceAccount: 'sa' },
      destination: { ip: ip('10.0.1.9'), port: client },
      workload: { uid: 'w', namespace: 'back', authorizationPolicies: over.scope === 'WorkloadSelector' ? names : [] },
    } as unknown as ConnectionFacts
    authorizeConnection(facts, store)
    counter.lookedAt = 0
    const { allowed } = authorizeConnection(facts, store)
    return { allowed, lookedAt: counter.lookedAt }
  }
}

const looksAtFew = test.macro({
  exec(t, match: (index: number) => Partial<Match>, over: Partial<Authorization> = {}) {
    const ask = counted(match, over)
    const denies = over.action === 'Deny'
    for (const client of [0, 1, 77, COUNT - 1]) t.deepEqual(ask(client), { allowed: !denies, lookedAt: 1 })
    t.deepEqual(ask(COUNT), { allowed: denies, lookedAt: 0 })
  },
  title: (name) => `of ${COUNT} policies one that can match is looked at: ${name}`,
})

const byPrincipal = (i: number): Partial<Match> => ({ principals: [{ kind: 'exact', value: `td/ns/ns-${i}/sa/sa` }] })
test('by principal', looksAtFew, byPrincipal)
test('by principal, DENY', looksAtFew, byPrincipal, { action: 'Deny' })
test('by principal, global', looksAtFew, byPrincipal, { scope: 'Global' })
test('by principal, listed by the workload', looksAtFew, byPrincipal, { scope: 'WorkloadSelector' })
test('by prefix of a principal', looksAtFew, (i) => ({ principals: [{ kind: 'prefix', value: `td/ns/ns-${i}/` }] }))
test('by suffix of a principal', looksAtFew, (i) => ({ principals: [{ kind: 'suffix', value: `/ns-${i}/sa/sa` }] }))
test('by namespace', looksAtFew, (i) => ({ namespaces: [{ kind: 'exact', value: `ns-${i}` }] }))
test('by service account', looksAtFew, (i) => ({ serviceAccounts: [{ namespace: `ns-${i}`, serviceAccount: 'sa' }] }))
test('by network', looksAtFew, (i) => ({ sourceIps: [cidr(`10.${i >> 8}.${i & 255}.0`, 24)] }))
test('by port, whoever asks', looksAtFew, (i) => ({ destinationPorts: [i], principals: [{ kind: 'presence' }] }))
test('by port, all of one client', (t) => {
  const ask = counted((i) => ({ destinationPorts: [i], namespaces: [{ kind: 'suffix', value: '7' }] }))
  // The first is filed under what all share, the others under what tells them apart.
  for (const client of [7, 77, 1_007]) {
    const { allowed, lookedAt } = ask(client)
    t.true(allowed)
    t.true(lookedAt <= 2)
  }
})
