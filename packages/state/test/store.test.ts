import { type Clock, ip, systemClock } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { dumpState, PolicyStore, WorkloadStore } from '../src/index.ts'
import {
  authorizationResource,
  bytesOf,
  cart,
  HOST,
  KEY,
  pod,
  serviceResource,
  storeOf,
  workload,
  workloadResource,
} from './helpers.ts'

const uids = (store: WorkloadStore): string[] => {
  const held = store.service(KEY)
  return held === undefined
    ? []
    : store
        .usableEndpoints(held)
        .map(({ workloadUid }) => workloadUid.slice(-1))
        .toSorted()
}

test('among workloads of one address a captured pod wins, then a pod, then a captured one', (t) => {
  const all = [
    { uid: 'other', addresses: [bytesOf('10.0.0.1')] },
    { uid: 'captured', addresses: [bytesOf('10.0.0.1')], tunnelProtocol: 1 as const },
    { uid: 'c//Pod/n/plain', addresses: [bytesOf('10.0.0.1')] },
    { uid: 'c//Pod/n/captured', addresses: [bytesOf('10.0.0.1')], tunnelProtocol: 1 as const },
  ]
  for (let left = all.length; left > 0; left--) {
    t.is(storeOf({ pods: all.slice(0, left) }).workloadByIp('', ip('10.0.0.1'))?.uid, all[left - 1]?.uid)
    t.is(storeOf({ pods: all.slice(0, left).toReversed() }).workloadByIp('', ip('10.0.0.1'))?.uid, all[left - 1]?.uid)
  }
})

test('a host-network pod serves but does not own its address', (t) => {
  const store = storeOf({ pods: [pod('a', '10.0.0.1', { networkMode: 1 })], services: [cart()] })
  t.is(store.workloadByIp('', ip('10.0.0.1')), undefined)
  t.deepEqual(uids(store), ['a'])
})

test('replacing a workload leaves nothing of the old one and no gap for listeners', (t) => {
  const store = storeOf({ pods: [pod('a', '10.0.0.1')], services: [cart()] })
  let seen: string[] = []
  using _subscription = store.subscribe(() => {
    seen = uids(store)
  })
  store.apply({ upserts: [workloadResource(pod('a', '10.0.0.2'))], removed: [] })
  t.deepEqual(seen, ['a'])
  t.is(store.workloadByIp('', ip('10.0.0.1')), undefined)
  t.is(store.workloadByIp('', ip('10.0.0.2'))?.name, 'a')
})

test('endpoints wait for their service and survive its removal', (t) => {
  const store = storeOf({ pods: [pod('a', '10.0.0.1')] })
  t.deepEqual([...store.stagedEndpoints().keys()], [KEY])
  store.apply({ upserts: [serviceResource(cart())], removed: [] })
  t.deepEqual(uids(store), ['a'])
  t.is(store.stagedEndpoints().size, 0)
  store.apply({ upserts: [], removed: [KEY] })
  t.is(store.service(KEY), undefined)
  t.is(store.serviceByVip('', ip('10.96.0.1'), 'shop'), undefined)
  store.apply({ upserts: [serviceResource(cart())], removed: [] })
  t.deepEqual(uids(store), ['a'])
})

test('unhealthy endpoints are chosen only when the service says so', (t) => {
  const pods = [pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { status: 1 })]
  const store = storeOf({ pods, services: [cart()] })
  t.deepEqual(uids(store), ['a'])
  store.apply({ upserts: [serviceResource(cart({ loadBalancing: { healthPolicy: 1 } }))], removed: [] })
  t.deepEqual(uids(store), ['a', 'b'])
})

test('a removed name is a workload first, then a service, else nothing', (t) => {
  const store = storeOf({ pods: [pod('a', '10.0.0.1', { uid: KEY })], services: [cart()] })
  store.apply({ upserts: [], removed: [KEY, 'never-heard-of', 'a/b/c'] })
  t.is(store.workload(KEY), undefined)
  t.not(store.service(KEY), undefined)
})

test('services of one VIP: own namespace, then Kubernetes, then the first; hidden ones do not exist', (t) => {
  const addresses = [{ address: bytesOf('10.96.0.9') }]
  const store = storeOf({
    services: [
      { name: 'x', namespace: 'one', hostname: 'x', addresses },
      { name: 'x', namespace: 'two', hostname: 'x', addresses, canonical: true },
      { name: 'x', namespace: 'three', hostname: 'x', addresses },
      { name: 'x', namespace: 'hidden', hostname: 'x', addresses, canonical: true, visibility: 1 },
    ],
  })
  const who = (namespace: string) => store.serviceByVip('', ip('10.96.0.9'), namespace)?.namespace
  t.deepEqual(['one', 'two', 'three', 'hidden', 'elsewhere'].map(who), ['one', 'two', 'three', 'hidden', 'two'])
  const named = (namespace: string) => store.serviceByHostname('x', namespace)?.namespace
  t.deepEqual(['one', 'hidden', 'elsewhere'].map(named), ['one', 'hidden', 'two'])
})

test('ranges count only without an exact VIP, the longest first', (t) => {
  const range = (address: string, length: number) => [{ address: bytesOf(address), length }]
  const store = storeOf({
    services: [
      { namespace: 'n', hostname: 'wide', addresses: range('10.0.0.0', 8) },
      { namespace: 'n', hostname: 'narrow', addresses: range('10.1.0.0', 16) },
      { namespace: 'n', hostname: 'exact', addresses: range('10.1.2.3', 32) },
    ],
  })
  const host = (address: string) => store.serviceByVip('', ip(address), 'x')?.hostname
  t.deepEqual(['10.1.2.3', '10.1.2.4', '10.2.0.1', '11.0.0.1'].map(host), ['exact', 'narrow', 'wide', undefined])
})

test('only workloads of this node are local', (t) => {
  const store = storeOf({ pods: [pod('a', '10.0.0.1', { node: 'n1' }), pod('b', '10.0.0.2', { node: 'n2' })] }, 'n1')
  t.is(store.localWorkload({ name: 'a', namespace: 'shop', serviceAccount: 'a' })?.name, 'a')
  t.is(store.localWorkload({ name: 'a', namespace: 'shop', serviceAccount: 'other' }), undefined)
  t.is(store.localWorkload({ name: 'b', namespace: 'shop', serviceAccount: 'b' }), undefined)
})

test('a local workload is waited for, with an end', async (t) => {
  const timers: (() => void)[] = []
  const clock: Clock = {
    ...systemClock,
    after: (ms, callback) => {
      t.is(ms, 5_000)
      timers.push(callback)
      return { [Symbol.dispose]: () => {} }
    },
  }
  const store = new WorkloadStore({ clock })
  const ref = { name: 'a', namespace: 'shop', serviceAccount: 'a' }
  const arriving = store.waitForLocalWorkload(ref)
  store.apply({ upserts: [workloadResource(pod('a', '10.0.0.1'))], removed: [] })
  t.is((await arriving)?.name, 'a')
  const never = store.waitForLocalWorkload({ ...ref, name: 'z' })
  timers.at(-1)?.()
  t.is(await never, undefined)
  const abort = new AbortController()
  const aborted = store.waitForLocalWorkload({ ...ref, name: 'z' }, { signal: abort.signal })
  abort.abort(new Error('gone'))
  await t.throwsAsync(aborted, { message: 'gone' })
})

test('one bad resource leaves its last good version and the others of its response', (t) => {
  const store = storeOf({ pods: [pod('a', '10.0.0.1')] })
  const broken = { name: 'Kubernetes//Pod/shop/a', bytes: Uint8Array.of(0xff) }
  const rejected = store.apply({ upserts: [broken, workloadResource(pod('b', '10.0.0.2'))], removed: [] })
  t.deepEqual(
    rejected.map(({ name }) => name),
    [broken.name],
  )
  t.is(store.workloadByIp('', ip('10.0.0.1'))?.name, 'a')
  t.is(store.workloadByIp('', ip('10.0.0.2'))?.name, 'b')
})

test('whatever the order of updates, the store depends only on the last version of each resource', (t) => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('pod' as const),
      name: fc.constantFrom('a', 'b', 'c'),
      address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
      status: fc.constantFrom(0 as const, 1 as const),
    }),
    fc.record({ kind: fc.constant('service' as const), health: fc.constantFrom(0 as const, 1 as const) }),
    fc.record({
      kind: fc.constant('remove' as const),
      name: fc.constantFrom('Kubernetes//Pod/shop/a', 'Kubernetes//Pod/shop/b', KEY),
    }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const store = storeOf({})
      const last = new Map<string, ReturnType<typeof workloadResource>>()
      for (const change of steps) {
        if (change.kind === 'remove') {
          store.apply({ upserts: [], removed: [change.name] })
          last.delete(change.name)
          continue
        }
        const resource =
          change.kind === 'pod'
            ? workloadResource(pod(change.name, change.address, { status: change.status }))
            : serviceResource(cart({ loadBalancing: { healthPolicy: change.health } }))
        store.apply({ upserts: [resource], removed: [] })
        last.set(resource.name, resource)
      }
      const fresh = storeOf({})
      fresh.apply({ upserts: [...last.values()], removed: [] })
      const view = (s: WorkloadStore) =>
        JSON.stringify([
          uids(s),
          [...s.stagedEndpoints().values()]
            .flat()
            .map(({ workloadUid }) => workloadUid)
            .toSorted(),
          [...s.workloads()].map(({ uid, ips }) => `${uid} ${ips.join()}`).toSorted(),
          ['10.0.0.1', '10.0.0.2'].map((address) => s.workloadByIp('', ip(address)) !== undefined),
        ])
      return view(store) === view(fresh)
    }),
  )
  t.pass()
})

const DENY = { name: 'p', namespace: 'shop', scope: 1 as const, action: 1 as const }
const UNREADABLE = { ...DENY, rules: [{ clauses: [{ matches: [{ principals: [{}] }] }] }] }

test('a policy that cannot be read keeps its last good version', (t) => {
  const store = new PolicyStore()
  store.apply({ upserts: [authorizationResource({ ...DENY, rules: [{}] })], removed: [] })
  let changes = 0
  using _subscription = store.subscribe(() => changes++)
  t.is(store.apply({ upserts: [authorizationResource(UNREADABLE)], removed: [] }).length, 1)
  t.deepEqual(store.get('shop/p')?.rules, [{ clauses: [] }])
  t.is(changes, 0, 'nothing to judge again')
})

test('a policy that never could be read stands in strictly until a good version or its removal', (t) => {
  const store = new PolicyStore()
  store.apply({ upserts: [authorizationResource(UNREADABLE)], removed: [] })
  t.deepEqual(store.get('shop/p')?.rules[0]?.clauses[0]?.matches[0]?.principals, [{ kind: 'any' }])
  t.is(store.policiesFor(workload(pod('a', '10.0.0.1'))).policies.length, 1)
  store.apply({ upserts: [authorizationResource(DENY)], removed: [] })
  t.deepEqual(store.get('shop/p')?.rules, [])
  store.apply({ upserts: [], removed: ['shop/p'] })
  t.is(store.policiesFor(workload(pod('a', '10.0.0.1'))).policies.length, 0)
})

test('a policy with an unknown action denies what it matches, within its scope, unless there is a good version', (t) => {
  const later = { ...DENY, action: 9 as never, rules: [{ clauses: [{ matches: [{ destinationPorts: [80] }] }] }] }
  const store = new PolicyStore()
  const [refused] = store.apply({ upserts: [authorizationResource(later)], removed: [] })
  t.regex(refused?.reason ?? '', /action: unknown value 9/)
  t.like(store.get('shop/p'), { action: 'Deny', scope: 'Namespace' })
  t.deepEqual(store.get('shop/p')?.rules[0]?.clauses[0]?.matches[0]?.destinationPorts, [80])
  t.is(store.policiesFor(workload(pod('a', '10.0.0.1'))).policies.length, 1)
  t.is(store.policiesFor(workload({ uid: 'w', namespace: 'other' })).policies.length, 0)
  store.apply({ upserts: [authorizationResource({ ...DENY, action: 0 })], removed: [] })
  store.apply({ upserts: [authorizationResource(later)], removed: [] })
  t.is(store.get('shop/p')?.action, 'Allow')
})

test('a policy with an unknown scope is reported, keeps its last good version and has no strict reading', (t) => {
  const later = { ...DENY, scope: 9 as never, rules: [{}] }
  const store = new PolicyStore()
  const [refused] = store.apply({ upserts: [authorizationResource(later)], removed: [] })
  t.regex(refused?.reason ?? '', /scope: unknown value 9/)
  t.is(store.get('shop/p'), undefined)
  store.apply({ upserts: [authorizationResource(DENY)], removed: [] })
  t.is(store.apply({ upserts: [authorizationResource(later)], removed: [] }).length, 1)
  t.like(store.get('shop/p'), { scope: 'Namespace', rules: [] })
})

test('a policy that changes scope leaves the old one', (t) => {
  const store = new PolicyStore()
  const target = workload({ uid: 'w', namespace: 'other' })
  store.apply({ upserts: [authorizationResource({ ...DENY, scope: 0 })], removed: [] })
  t.is(store.policiesFor(target).policies.length, 1)
  store.apply({ upserts: [authorizationResource({ ...DENY, scope: 1 })], removed: [] })
  t.is(store.policiesFor(target).policies.length, 0)
})

test('a dump has the shape istioctl reads', (t) => {
  const store = storeOf({
    pods: [pod('a', '10.0.0.1')],
    services: [
      cart({
        waypoint: {
          destination: { case: 'hostname', value: { namespace: 'shop', hostname: 'wp' } },
          hboneMtlsPort: 15008,
        },
      }),
    ],
  })
  const policies = new PolicyStore()
  policies.apply({
    upserts: [
      authorizationResource({
        ...DENY,
        rules: [
          {
            clauses: [
              {
                matches: [
                  {
                    principals: [{ matchType: { case: 'exact', value: 'x' } }],
                    sourceIps: [{ address: bytesOf('10.0.0.0'), length: 8 }],
                  },
                ],
              },
            ],
          },
        ],
      }),
    ],
    removed: [],
  })
  const dump = dumpState(store, policies)
  t.like(dump.workloads[0], {
    workloadIps: ['10.0.0.1'],
    protocol: 'HBONE',
    status: 'Healthy',
    services: { [KEY]: { 80: 8080 } },
  })
  t.like(dump.services[0], {
    hostname: HOST,
    vips: ['/10.96.0.1'],
    ports: { 80: 8080 },
    waypoint: { destination: 'shop/wp', hboneMtlsPort: 15008 },
  })
  t.deepEqual(dump.policies[0]?.['rules'], [[[{ principals: [{ Exact: 'x' }], sourceIps: ['10.0.0.0/8'] }]]])
})

test('the list of usable endpoints is the same until something about them changes', (t) => {
  const store = storeOf({ pods: [pod('a', '10.0.0.1')], services: [cart()] })
  const list = () => store.usableEndpoints(store.service(KEY)!)
  const before = list()
  t.is(list(), before)
  store.apply({ upserts: [workloadResource({ uid: 'elsewhere' })], removed: [] })
  t.is(list(), before)
  store.apply({ upserts: [workloadResource(pod('a', '10.0.0.1', { node: 'other' }))], removed: [] })
  t.not(list(), before)
})
