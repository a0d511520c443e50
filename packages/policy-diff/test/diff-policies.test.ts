import test from 'ava'
import { bothSidesOf, diffOf } from './diff-of.ts'
import { atWaypoint, policy, SHOP } from './objects.ts'

const READERS = (methods: readonly string[]): string =>
  policy('shop', 'readers', { ...atWaypoint('web'), action: 'ALLOW', rules: [{ to: [{ operation: { methods } }] }] })

test('an ALLOW where there was none keeps out what it does not name', (t) => {
  const { objects, regions, isPartial } = diffOf([], [READERS(['GET'])])
  t.deepEqual(objects, [{ change: 'added', kind: 'AuthorizationPolicy', name: 'shop/readers' }])
  t.is(regions.length, 2)
  t.like(regions[0], {
    change: 'denied',
    // Of a port that says nothing about itself a request is judged as such.
    destinations: ['service shop/web:80', 'service shop/web:9100'],
    // Who has no identity goes past the waypoint.
    conditions: [
      { field: 'client', is: [], isNot: ['no identity'] },
      { field: 'method', is: [], isNot: ['GET'] },
    ],
    clients: ['back/db', 'shop/client', 'shop/web'],
    after: {
      outcome: 'denied',
      point: 'waypoint',
      unmatched: ['shop/readers'],
      reason: 'rbac_access_denied_matched_policy[none]',
    },
    before: { outcome: 'allowed', reason: 'no-allow-policies' },
  })
  t.deepEqual(
    regions[0]?.nearest?.failed.map(({ field }) => field),
    ['to[0].operation.methods'],
  )
  // Where no requests are seen, a rule that asks for a method allows nothing.
  t.like(regions[1], {
    change: 'denied',
    destinations: ['service shop/web:9000', 'service shop/web:9100 (bytes)'],
    conditions: [{ field: 'client', is: [], isNot: ['no identity'] }],
  })
  t.false(isPartial)
})

test('a rule that is added lets in what it names, by that rule', (t) => {
  const { regions } = diffOf([READERS(['GET'])], [READERS(['GET', 'POST'])])
  t.is(regions.length, 1)
  t.like(regions[0], {
    change: 'allowed',
    after: { policy: 'shop/readers', rule: 0, outcome: 'allowed' },
    before: { outcome: 'denied' },
  })
  t.deepEqual(regions[0]?.conditions.at(-1), { field: 'method', is: ['POST'], isNot: [] })
})

test('what has the same meaning changes nothing, however it is written', (t) => {
  const split = policy('shop', 'others', {
    ...atWaypoint('web'),
    action: 'ALLOW',
    rules: ['POST', 'GET'].map((method) => ({ to: [{ operation: { methods: [method] } }] })),
  })
  const { objects, regions } = diffOf([READERS(['GET', 'POST'])], [split])
  t.deepEqual(
    objects.map(({ change }) => change),
    ['added', 'removed'],
  )
  t.deepEqual(regions, [])
})

test('a policy for one version says at which endpoints of the service', (t) => {
  const spec = {
    selector: { matchLabels: { app: 'db', version: 'v2' } },
    action: 'ALLOW',
    rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/web'] } }] }],
  }
  const { regions } = diffOf([], [policy('back', 'only', spec)])
  const conditions = [{ field: 'client', is: [], isNot: ['shop/web'] }]
  t.is(regions.length, 2)
  t.like(regions[0], {
    destinations: ['service back/db:80'],
    conditions,
    endpoints: ['back/db-v2'],
    after: { outcome: 'denied' },
  })
  t.like(regions[1], { destinations: ['workload back/db-v2'], conditions })
})

test('a policy on the pods behind a waypoint is about the waypoint, and about who goes past it', (t) => {
  const spec = {
    selector: { matchLabels: { app: 'web' } },
    action: 'ALLOW',
    rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/waypoint'] } }] }],
  }
  const { regions } = diffOf([], [policy('shop', 'l4', spec)])
  t.deepEqual(
    regions.map(({ destinations, conditions }) => [...destinations, conditions]),
    [
      [
        'service shop/web:80',
        'service shop/web:9000',
        'service shop/web:9100',
        'service shop/web:9100 (bytes)',
        [{ field: 'client', is: ['no identity'], isNot: [] }],
      ],
      ['workload shop/web-v1', [{ field: 'client', is: [], isNot: ['shop/waypoint'] }]],
    ],
  )
  const other = { ...spec, rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/client'] } }] }] }
  const changed = diffOf([policy('shop', 'l4', spec)], [policy('shop', 'l4', other)])
  // The waypoint is no longer let in, so nobody is that comes through it.
  t.like(changed.regions[0], {
    change: 'denied',
    conditions: [{ field: 'client', is: [], isNot: ['no identity'] }],
  })
})

test('policies of the whole mesh concern every namespace, and equal regions are told once', (t) => {
  const { regions } = diffOf(
    [],
    [
      policy('istio-system', 'nobody', {
        action: 'DENY',
        rules: [{ from: [{ source: { notNamespaces: ['shop'] } }] }],
      }),
    ],
  )
  const all = regions.flatMap(({ destinations }) => destinations)
  t.true(all.includes('workload back/db-v1') && all.includes('workload shop/web-v1'))
  t.is(new Set(regions.map(({ conditions, after }) => JSON.stringify([conditions, after]))).size, regions.length)
})

test('PeerAuthentication that refuses plain text keeps out who has no identity', (t) => {
  const strict = JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace: 'back' },
    spec: { mtls: { mode: 'STRICT' } },
  })
  const { regions } = diffOf([], [strict])
  t.true(regions.length > 0)
  for (const { change, conditions, destinations } of regions) {
    t.is(change, 'denied')
    t.deepEqual(conditions, [{ field: 'client', is: ['no identity'], isNot: [] }])
    t.true(destinations.every((name) => name.includes(' back/')))
  }
})

test('a waypoint that is taken away takes its policies along', (t) => {
  const labelled = SHOP.replace(', istio.io/use-waypoint: waypoint', '')
  const { regions } = diffOf([READERS(['GET'])], [READERS(['GET'])], { after: labelled })
  t.like(regions[0], {
    change: 'allowed',
    destinations: ['service shop/web:80', 'service shop/web:9100'],
    conditions: [
      { field: 'client', is: [], isNot: ['no identity'] },
      { field: 'method', is: [], isNot: ['GET'] },
    ],
  })
})

test('rules about tokens are told as what is not compared', (t) => {
  const spec = {
    ...atWaypoint('web'),
    action: 'DENY',
    rules: [{ from: [{ source: { notRequestPrincipals: ['*'] } }] }],
  }
  const { regions, gaps } = diffOf([], [policy('shop', 'tokens', spec)])
  t.like(regions[0], { change: 'denied', conditions: [{ field: 'client', is: [], isNot: ['no identity'] }] })
  t.true(gaps.some((gap) => gap.includes('shop/tokens asks about tokens')))
})

test('policies on trial and such that only leave a trace change nothing', (t) => {
  const trial = JSON.parse(policy('shop', 'trial', { ...atWaypoint('web'), action: 'DENY', rules: [{}] })) as {
    metadata: object
  }
  trial.metadata = { ...trial.metadata, annotations: { 'istio.io/dry-run': 'true' } }
  const audit = policy('shop', 'audit', { ...atWaypoint('web'), action: 'AUDIT', rules: [{}] })
  const { regions, objects } = diffOf([], [JSON.stringify(trial), audit])
  t.is(objects.length, 2)
  t.deepEqual(regions, [])
})

test('the objects of both sides are as given', (t) => {
  const { before, after } = bothSidesOf([READERS(['GET'])], [])
  t.is(before.length, after.length + 1)
})

test('a port that only a policy names is looked at, and so are all others', (t) => {
  const deny = (ports: readonly string[]): string =>
    policy('back', 'ports', { action: 'DENY', rules: [{ to: [{ operation: { ports } }] }] })
  const named = diffOf([], [deny(['7000'])])
  t.deepEqual(
    named.regions.map(({ destinations, conditions }) => [destinations, conditions]),
    [[['workload back/db-v1:7000', 'workload back/db-v2:7000'], []]],
  )
  const others = policy('back', 'ports', { action: 'DENY', rules: [{ to: [{ operation: { notPorts: ['8080'] } }] }] })
  t.deepEqual(
    diffOf([], [others]).regions.map(({ destinations }) => destinations),
    [['workload back/db-v1:*', 'workload back/db-v2:*']],
  )
})
