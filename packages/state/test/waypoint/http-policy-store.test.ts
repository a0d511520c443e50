import { waypointpb as pb } from '@ambit/api'
import { create, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import { decodeHttpAuthorization, type HttpAuthorization, HttpPolicyStore, type RequestRule } from '../../src/index.ts'

const { ALLOW, DENY, AUDIT, CUSTOM } = pb.HttpAuthorization_Action

type Fields<M> = { [K in Exclude<keyof M, '$typeName' | '$unknown'>]?: M[K] }
type Rule = {
  from?: Fields<pb.HttpAuthorization_Source>[]
  to?: Fields<pb.HttpAuthorization_Operation>[]
  when?: Fields<pb.HttpAuthorization_Condition>[]
  unknown?: string[]
}

function bytes(policy: Omit<Fields<pb.HttpAuthorization>, 'rules'> & { rules?: Rule[] } = {}): Uint8Array {
  return toBinary(
    pb.HttpAuthorizationSchema,
    create(pb.HttpAuthorizationSchema, { namespace: 'shop', name: 'p', action: ALLOW, ...policy }),
  )
}

function decoded(policy: Parameters<typeof bytes>[0]): HttpAuthorization {
  const result = decodeHttpAuthorization('shop/p', bytes(policy))
  if (!result.ok) throw new Error(result.rejection.message)
  return result.value
}

function ruleOf(rule: Rule): RequestRule {
  const [first] = decoded({ rules: [rule] }).rules
  if (first === undefined) throw new Error('no rule')
  return first
}

/** A message with a field of a later version: number 100, a string. */
const LATER_FIELD = Uint8Array.of(0xa2, 0x06, 0x01, 0x78)

test('head of a policy', (t) => {
  for (const [action, word] of [
    [ALLOW, 'Allow'],
    [DENY, 'Deny'],
    [AUDIT, 'Audit'],
    [CUSTOM, 'Custom'],
  ] as const) {
    t.deepEqual(decoded({ action, dryRun: true }), {
      namespace: 'shop',
      name: 'p',
      action: word,
      dryRun: true,
      rules: [],
    })
  }
})

test('values become matches', (t) => {
  const { from, to, when, unknown } = ruleOf({
    from: [{ principals: ['*', 'a*', '*b', 'c'], serviceAccounts: ['x', 'y/z'] }],
    to: [{ ports: ['80'], notPaths: ['/a', '/{*}/b/{**}'] }],
    when: [
      { key: 'request.headers[X-A]', values: ['1'] },
      { key: 'request.auth.claims[a][b]', notValues: ['2'] },
      { key: 'connection.sni', values: ['s'] },
    ],
  })
  t.deepEqual(unknown, [])
  t.deepEqual(from[0]?.principals.some, [
    { kind: 'presence' },
    { kind: 'prefix', value: 'a' },
    { kind: 'suffix', value: 'b' },
    { kind: 'exact', value: 'c' },
  ])
  t.deepEqual(from[0]?.serviceAccounts.some, [
    { namespace: 'shop', serviceAccount: 'x' },
    { namespace: 'y', serviceAccount: 'z' },
  ])
  t.deepEqual(to[0]?.ports.some, [80])
  t.deepEqual(to[0]?.paths.none, [
    { kind: 'text', text: { kind: 'exact', value: '/a' } },
    {
      kind: 'template',
      source: '/{*}/b/{**}',
      segments: [{ kind: 'one' }, { kind: 'literal', value: 'b' }, { kind: 'any-number' }],
    },
  ])
  t.like(when[0], { kind: 'header', name: 'x-a' })
  t.like(when[1], { kind: 'claim', path: ['a', 'b'] })
  t.like(when[2], { kind: 'text', of: 'connection.sni' })
})

const notUnderstood = test.macro({
  exec(t, rule: Rule, where: string) {
    const { unknown } = ruleOf(rule)
    t.is(unknown.length, 1)
    t.true(unknown[0]?.startsWith(`rules[0].${where}`), unknown[0])
  },
  title: (name) => `not understood: ${name}`,
})

test('network', notUnderstood, { from: [{ ipBlocks: ['10.0.0.0/33'] }] }, 'from[0].source.ipBlocks')
test('excluded network', notUnderstood, { from: [{ notRemoteIpBlocks: ['ten'] }] }, 'from[0].source.remoteIpBlocks')
test('port', notUnderstood, { to: [{ ports: ['http'] }] }, 'to[0].operation.ports')
test('port 0', notUnderstood, { to: [{ notPorts: ['0'] }] }, 'to[0].operation.ports')
test('account', notUnderstood, { from: [{ serviceAccounts: ['a/b/c'] }] }, 'from[0].source.serviceAccounts')
test(
  'account with a wildcard',
  notUnderstood,
  { from: [{ serviceAccounts: ['a/*'] }] },
  'from[0].source.serviceAccounts',
)
test('account of no name', notUnderstood, { from: [{ notServiceAccounts: ['a/'] }] }, 'from[0].source.serviceAccounts')
test('wildcard inside a namespace', notUnderstood, { from: [{ namespaces: ['a*b'] }] }, 'from[0].source.namespaces')
for (const path of ['/a{*}', '/{*}.js', '/{**}/{*}', '/{**}/{**}', '/*/{*}', '/{*}/b*', '{*}', '/{x}/{*}']) {
  test(`template ${path}`, notUnderstood, { to: [{ paths: [path] }] }, 'to[0].operation.paths')
}
for (const key of [
  'request.weather',
  'request.headers[]',
  'request.headers',
  'request.auth.claims',
  'request.auth.claims[a]b',
  'experimental.envoy.filters.x[y]',
  '',
]) {
  test(`key "${key}"`, notUnderstood, { when: [{ key, values: ['a'] }] }, 'when[0]')
}
test('condition without values', notUnderstood, { when: [{ key: 'source.ip' }] }, 'when[0]')
test('value of a condition', notUnderstood, { when: [{ key: 'destination.port', values: ['x'] }] }, 'when[0]')
test(
  'what the control plane reports',
  notUnderstood,
  { unknown: ['to[0].operation.weather'] },
  'to[0].operation.weather',
)

test('an unreadable value opens its positive list and leaves the negative one', (t) => {
  const { from } = ruleOf({ from: [{ ipBlocks: ['10.0.0.0/8', 'bad'], notIpBlocks: ['10.0.0.1', 'bad'] }] })
  t.is(from[0]?.ipBlocks.some.length, 0)
  t.is(from[0]?.ipBlocks.none.length, 1)
})

test('a field of a later version makes the rules it could narrow not understood', (t) => {
  const rule = create(pb.HttpAuthorization_RuleSchema, { to: [{ methods: ['GET'] }] })
  const operation = rule.to[0]
  if (operation === undefined) throw new Error('no operation')
  operation.$unknown = [{ no: 100, wireType: 2, data: LATER_FIELD.subarray(2) }]
  t.deepEqual(decoded({ rules: [rule] }).rules[0]?.unknown, ['rules[0].to[0].operation: unknown field 100'])

  const whole = Uint8Array.of(...bytes({ rules: [{}, {}] }), ...LATER_FIELD)
  const result = decodeHttpAuthorization('shop/p', whole)
  t.deepEqual(result.ok && result.value.rules.map(({ unknown }) => unknown), [
    ['policy: unknown field 100'],
    ['policy: unknown field 100'],
  ])
})

const DENIES_ALL = { action: 'Deny', dryRun: false, rules: [{ from: [], to: [], when: [] }] } as const

test('a resource that can not be read is refused and denies, under its name', (t) => {
  const store = new HttpPolicyStore()
  const rejected = store.apply({ upserts: [{ name: 'shop/p', bytes: Uint8Array.of(0xff, 0xff) }], removed: [] })
  t.is(rejected[0]?.name, 'shop/p')
  t.like(store.get('shop/p'), { namespace: 'shop', name: 'p', ...DENIES_ALL })
})

test('an action nobody knows is refused and denies; as a trial it denies on trial', (t) => {
  const store = new HttpPolicyStore()
  for (const dryRun of [false, true]) {
    const unknown = bytes({ action: 9 as typeof ALLOW, dryRun, rules: [{}] })
    const rejected = store.apply({ upserts: [{ name: 'shop/p', bytes: unknown }], removed: [] })
    t.regex(rejected[0]?.reason ?? '', /action: unknown value 9/)
    t.like(store.get('shop/p'), { ...DENIES_ALL, dryRun })
  }
})

test('a policy under the name of another is refused and denies', (t) => {
  const store = new HttpPolicyStore()
  const rejected = store.apply({ upserts: [{ name: 'shop/q', bytes: bytes() }], removed: [] })
  t.deepEqual(rejected, [{ name: 'shop/q', reason: 'content is about shop/p' }])
  t.like(store.get('shop/q'), DENIES_ALL)
})

test('what is refused keeps the last good version; a good one replaces the stand-in', (t) => {
  const store = new HttpPolicyStore()
  const bad = { name: 'shop/p', bytes: Uint8Array.of(0xff) }
  const good = (action: pb.HttpAuthorization_Action) => ({ name: 'shop/p', bytes: bytes({ action }) })
  store.apply({ upserts: [bad], removed: [] })
  store.apply({ upserts: [good(ALLOW)], removed: [] })
  t.is(store.get('shop/p')?.action, 'Allow')
  t.is(store.apply({ upserts: [bad], removed: [] }).length, 1)
  t.is(store.get('shop/p')?.action, 'Allow')
  store.apply({ upserts: [good(DENY)], removed: [] })
  t.is(store.get('shop/p')?.action, 'Deny')
  t.is([...store.policies()].length, 1)
})

test('listeners are called once for a change that altered something', (t) => {
  const store = new HttpPolicyStore()
  let calls = 0
  using _ = store.subscribe(() => void calls++)
  const upserts = ['p', 'q'].map((name) => ({ name: `shop/${name}`, bytes: bytes({ name }) }))
  store.apply({ upserts, removed: [] })
  t.is(calls, 1)
  store.apply({ upserts: [{ name: 'shop/p', bytes: Uint8Array.of(0xff) }], removed: ['shop/unheard-of'] })
  t.is(calls, 1, 'a refused version over a good one alters nothing')
  store.apply({ upserts: [], removed: ['shop/p'] })
  t.is(calls, 2)
  t.is(store.get('shop/p'), undefined)
})

test('property: any bytes are a policy or a refusal with a stand-in that denies', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
      const result = decodeHttpAuthorization('shop/p', noise)
      if (!result.ok) t.like(result.standIn, { action: 'Deny', namespace: 'shop', name: 'p' })
    }),
  )
})

test('property: one damaged byte of a policy is a policy or a refusal, never a crash', (t) => {
  const sound = bytes({
    rules: [
      {
        from: [{ ipBlocks: ['10.0.0.0/8'] }],
        to: [{ paths: ['/a/{*}'] }],
        when: [{ key: 'source.ip', values: ['::1'] }],
      },
    ],
  })
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.nat(255), (at, byte) => {
      const damaged = sound.with(at, byte)
      t.is(typeof decodeHttpAuthorization('shop/p', damaged).ok, 'boolean')
    }),
  )
})
