import test from 'ava'
import fc from 'fast-check'
import { PolicyStore } from '../src/index.ts'
import { MAX_RESOURCES_PER_STEP } from '../src/limits.ts'
import { authorizationResource, pod, workload } from './helpers.ts'

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
  .map((init) => authorizationResource(init as Parameters<typeof authorizationResource>[0]))
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
