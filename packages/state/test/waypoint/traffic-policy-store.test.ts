import { waypointpb as pb } from '@ambit/api'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { TrafficPolicyStore } from '../../src/index.ts'

type PolicyInit = Exclude<MessageInitShape<typeof pb.TrafficPolicySchema>, pb.TrafficPolicy>

const policy = (init: PolicyInit, name = 'p') => ({
  name,
  bytes: toBinary(pb.TrafficPolicySchema, create(pb.TrafficPolicySchema, init)),
})
const member = (name: string, ...subsets: string[]) => ({
  name,
  bytes: toBinary(pb.SubsetMemberSchema, create(pb.SubsetMemberSchema, { subsets })),
})
const later = [{ no: 99, wireType: 0 as const, data: Uint8Array.of(1) }]

test('a policy as it was written', (t) => {
  const store = new TrafficPolicyStore()
  const treatment = {
    loadBalancing: { algorithm: 1, hashOf: { case: 'header', value: 'X-User' } },
    maxConnections: 1,
    maxPendingRequests: 0,
    connectTimeoutMs: 30,
    outlierDetection: { consecutive5xx: 5, maxEjectionPercent: 200 },
  } as const
  const ports = [{ port: 80, treatment: { refused: 'no' } }]
  t.deepEqual(
    store.applyPolicies({ upserts: [policy({ treatment, subsets: [{ name: 'v1', ports }] })], removed: [] }),
    [],
  )
  t.like(store.policy('p')?.treatment, {
    algorithm: 'round-robin',
    hashOf: { kind: 'header', name: 'x-user' },
    maxConnections: 1,
    maxPendingRequests: 0,
    maxRequests: undefined,
    connectTimeoutMs: 30,
    refused: undefined,
  })
  t.is(store.policy('p')?.treatment.outlierDetection?.maxEjectionPercent, 100)
  t.is(store.policy('p')?.subsets.get('v1')?.ports.get(80)?.refused, 'no')
})

test('one that is refused keeps its last good version', (t) => {
  const store = new TrafficPolicyStore()
  const told: (readonly string[])[] = []
  using _subscription = store.subscribe((names) => told.push(names))
  const unreadable = create(pb.TrafficPolicySchema, { treatment: {} })
  unreadable.treatment!.$unknown = later
  const bad = [
    { name: 'p', bytes: toBinary(pb.TrafficPolicySchema, unreadable) },
    policy({ treatment: { loadBalancing: { algorithm: 9 as never } } }),
    policy({ treatment: { loadBalancing: { hashOf: { case: 'cookie', value: { name: 'a b' } } } } }),
    policy({ treatment: { loadBalancing: { hashOf: { case: 'cookie', value: { name: 'a', path: '/;' } } } } }),
    policy({ subsets: [{ name: '' }] }),
    { name: 'p', bytes: Uint8Array.of(255) },
  ]
  for (const one of bad) t.is(store.applyPolicies({ upserts: [one], removed: [] }).length, 1)
  t.is(store.policy('p'), undefined)
  store.applyPolicies({ upserts: [policy({ treatment: { maxConnections: 7 } })], removed: [] })
  for (const one of bad) store.applyPolicies({ upserts: [one], removed: [] })
  t.is(store.policy('p')?.treatment.maxConnections, 7)
  store.applyPolicies({ upserts: [], removed: ['p'] })
  t.is(store.policy('p'), undefined)
  t.deepEqual(told, [['p'], ['p']])
})

test('members come, move and go; a set that is held does not change', (t) => {
  const store = new TrafficPolicyStore()
  store.applyMembers({ upserts: [member('a', 'p/v1'), member('b', 'p/v1', 'p/v2')], removed: [] })
  const held = store.members('p/v1')
  const untouched = store.members('p/v2')
  t.deepEqual([...held].sort(), ['a', 'b'])
  store.applyMembers({ upserts: [member('a', 'p/v3')], removed: [] })
  t.deepEqual([...held].sort(), ['a', 'b'])
  t.deepEqual([...store.members('p/v1')], ['b'])
  t.deepEqual([...store.members('p/v3')], ['a'])
  t.is(store.members('p/v2'), untouched)
  store.applyMembers({ upserts: [], removed: ['b', 'nobody'] })
  t.is(store.members('p/v1').size + store.members('p/v2').size, 0)
  t.is(store.applyMembers({ upserts: [{ name: 'a', bytes: Uint8Array.of(255) }], removed: [] }).length, 1)
  t.is(store.members('p/v3').size, 0)
})
