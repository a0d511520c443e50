import { ip, systemClock } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { dumpState, PolicyStore, WorkloadStore } from '../src/index.ts'
import { MAX_RESOURCES_PER_STEP } from '../src/limits.ts'
import {
  authorizationResource,
  bytesOf,
  cart,
  pod,
  serviceResource,
  storeOf,
  workload,
  workloadResource,
} from './helpers.ts'

const WORKLOAD = workload(pod('a', '10.0.0.1', { authorizationPolicies: ['shop/p1'] }))

/** Larger than one step takes, so long that it takes several pieces. */
const MANY = 8 * MAX_RESOURCES_PER_STEP
const manyPolicies = (action: 0 | 1) =>
  Array.from({ length: MANY }, (_, i) =>
    authorizationResource({
      name: `p${i}`,
      namespace: 'shop',
      scope: i % 2 === 0 ? 0 : 1,
      action,
      rules: [{ clauses: [] }],
    }),
  )

test('a large set of policies is in force at once, and until then the former one is', async (t) => {
  const store = new PolicyStore()
  store.apply({ upserts: manyPolicies(0), removed: [] })
  const seen = new Set<string>()
  let announced = 0
  using _subscription = store.subscribe(() => announced++)
  const applying = store.applyInPieces({ upserts: manyPolicies(1), removed: [] })
  t.true(applying instanceof Promise, 'it takes more than one step')
  let done = false
  void Promise.resolve(applying).then(() => {
    done = true
  })
  while (!done) {
    const { policies } = store.policiesFor(WORKLOAD)
    seen.add(`${policies.length} ${[...new Set(policies.map(({ action }) => action))].join('+')}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.is(store.policiesFor(WORKLOAD).policies.length, MANY)
  t.is(store.policiesFor(WORKLOAD).policies[0]?.action, 'Deny')
  t.is(announced, 1)
  t.deepEqual(
    [...seen].filter((set) => set !== `${MANY} Deny`),
    [`${MANY} Allow`],
  )
})

const anyResource = fc
  .record({
    name: fc.integer({ min: 0, max: 5 }).map((i) => `p${i}`),
    namespace: fc.constantFrom('shop', 'other'),
    scope: fc.constantFrom(0, 1, 2, 9),
    action: fc.constantFrom(0, 1, 7),
    rules: fc.constantFrom([], [{ clauses: [] }], [{ clauses: [{ matches: [{ namespaces: [{}] }] }] }]),
  })
  .map((init) => authorizationResource(init as unknown as Parameters<typeof authorizationResource>[0]))
const anyChange = fc.record({
  upserts: fc.array(anyResource, { maxLength: 6 }),
  removed: fc.array(
    fc.tuple(fc.constantFrom('shop', 'other'), fc.integer({ min: 0, max: 5 })).map(([ns, i]) => `${ns}/p${i}`),
    { maxLength: 3 },
  ),
})
/** Turns any change into a large one without saying more. */
const padding = Array.from({ length: MAX_RESOURCES_PER_STEP }, (_, i) => `nothing/there-${i}`)

test('in pieces or in one step, the outcome is the same', async (t) => {
  const property = fc.asyncProperty(fc.array(anyChange, { maxLength: 4 }), async (changes) => {
    const [atOnce, inPieces] = [new PolicyStore(), new PolicyStore()]
    for (const { upserts, removed } of changes) {
      const expected = atOnce.apply({ upserts, removed })
      t.deepEqual(await inPieces.applyInPieces({ upserts, removed: [...removed, ...padding] }), expected)
      const plain = (store: PolicyStore): unknown => JSON.parse(JSON.stringify([...store.policies()]))
      t.deepEqual(plain(inPieces), plain(atOnce))
      t.deepEqual(
        JSON.parse(JSON.stringify(inPieces.policiesFor(WORKLOAD).policies)),
        JSON.parse(JSON.stringify(atOnce.policiesFor(WORKLOAD).policies)),
      )
    }
  })
  await fc.assert(property, { numRuns: 300 })
})

const address = (i: number): string => `10.1.${i >> 8}.${i & 255}`

test('while a large change is taken, a service is never without address, an address never without owner', async (t) => {
  const numbers = Array.from({ length: MANY }, (_, i) => i)
  const before = storeOf({ pods: numbers.map((i) => pod(`old-${i}`, address(i))), services: [cart()] })
  const upserts = [
    ...numbers.map((i) => workloadResource(pod(`new-${i}`, address(i)))),
    serviceResource(cart({ name: 'renamed', hostname: 'cart2.shop.svc.cluster.local' })),
  ]
  const removed = [...numbers.map((i) => `Kubernetes//Pod/shop/old-${i}`), `shop/${cart().hostname}`]
  const applying = before.applyInPieces({ upserts, removed })
  t.true(applying instanceof Promise)
  let done = false
  void Promise.resolve(applying).then(() => {
    done = true
  })
  const unowned: number[] = []
  let pieces = 0
  while (!done) {
    pieces++
    if (before.serviceByVip('', ip('10.96.0.1'), 'shop') === undefined) unowned.push(-1)
    for (const i of numbers) {
      const owner = before.workloadByIp('', ip(address(i)))
      if (owner === undefined) unowned.push(i)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.true(pieces > 1)
  t.deepEqual(unowned, [])
  t.is([...before.workloads()].length, MANY)
  t.is(before.workloadByIp('', ip(address(7)))?.name, 'new-7')
  t.is(before.serviceByVip('', ip('10.96.0.1'), 'shop')?.name, 'renamed')
})

test('a workload is announced with the piece that brings it', async (t) => {
  const store = new WorkloadStore({ clock: systemClock })
  const announced = new Set<string>()
  using _subscription = store.subscribe(({ workloads }) => {
    for (const uid of workloads) {
      if (store.workload(uid) === undefined) t.fail(`${uid} is announced and not there`)
      announced.add(uid)
    }
  })
  const upserts = Array.from({ length: MANY }, (_, i) => workloadResource(pod(`p${i}`, address(i))))
  t.deepEqual(await store.applyInPieces({ upserts, removed: [] }), [])
  t.is(announced.size, MANY)
})

const anyPod = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    uid: fc.constantFrom(undefined, ''),
    network: fc.constantFrom('', 'n'),
  })
  .map(({ name, address: at, uid, network }) =>
    workloadResource(pod(name, at, { network, ...(uid === undefined ? {} : { uid }) })),
  )
const anyService = fc
  .record({ hostname: fc.constantFrom('x', 'y'), vip: fc.constantFrom('10.96.0.1', '10.96.0.2') })
  .map(({ hostname, vip }) => serviceResource(cart({ hostname, addresses: [{ address: bytesOf(vip) }] })))
const anyAddresses = fc.record({
  upserts: fc.array(fc.oneof(anyPod, anyService), { maxLength: 6 }),
  removed: fc.array(
    fc.constantFrom('Kubernetes//Pod/shop/a', 'Kubernetes//Pod/shop/b', 'Kubernetes//Pod/shop/c', 'shop/x', 'shop/y'),
    { maxLength: 3 },
  ),
})

test('workloads and services, too, end the same in pieces or in one step', async (t) => {
  const policies = new PolicyStore()
  const dump = (store: WorkloadStore): unknown => {
    const { workloads, services, stagedServices } = dumpState(store, policies)
    const sorted = (list: readonly object[]): readonly string[] => list.map((one) => JSON.stringify(one)).toSorted()
    return {
      workloads: sorted(workloads),
      services: services.length,
      stagedServices: Object.keys(stagedServices).toSorted(),
    }
  }
  const property = fc.asyncProperty(fc.array(anyAddresses, { maxLength: 4 }), async (changes) => {
    const [atOnce, inPieces] = [storeOf({}), storeOf({})]
    for (const { upserts, removed } of changes) {
      const expected = atOnce.apply({ upserts, removed })
      t.deepEqual(await inPieces.applyInPieces({ upserts, removed: [...removed, ...padding] }), expected)
      t.deepEqual(dump(inPieces), dump(atOnce))
      const owners = (store: WorkloadStore): unknown =>
        ['10.0.0.1', '10.0.0.2'].flatMap((at) =>
          ['', 'n'].map((network) => store.workloadByIp(network, ip(at)) !== undefined),
        )
      t.deepEqual(owners(inPieces), owners(atOnce))
    }
  })
  await fc.assert(property, { numRuns: 300 })
})
