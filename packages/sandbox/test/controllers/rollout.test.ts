import test from 'ava'
import fc from 'fast-check'
import {
  planProportionalScale,
  planRollingUpdate,
  type RolloutState,
  resolveIntOrPercent,
  rolloutBounds,
} from '../../src/controllers/rollout.ts'

test('shares round up for surge and down for unavailable', (t) => {
  t.is(resolveIntOrPercent('25%', 10, 'up'), 3)
  t.is(resolveIntOrPercent('25%', 10, 'down'), 2)
  t.is(resolveIntOrPercent(4, 10, 'up'), 4)
  t.deepEqual(rolloutBounds(1), { surge: 1, unavailable: 0 })
  t.deepEqual(rolloutBounds(4), { surge: 1, unavailable: 1 })
})

test('a rollout that may neither surge nor lose a pod may lose one', (t) => {
  t.deepEqual(rolloutBounds(3, 0, 0), { surge: 0, unavailable: 1 })
})

test('a first rollout goes to its size at once', (t) => {
  const plan = planRollingUpdate({
    replicas: 3,
    surge: 1,
    unavailable: 0,
    current: { name: 'new', replicas: 0, available: 0 },
    old: [],
  })
  t.deepEqual([...plan], [['new', 3]])
})

test('old replicas go only as new ones become available', (t) => {
  const state = { replicas: 4, surge: 1, unavailable: 0, old: [{ name: 'old', replicas: 4, available: 4 }] }
  t.deepEqual([...planRollingUpdate({ ...state, current: { name: 'new', replicas: 0, available: 0 } })], [['new', 1]])
  t.deepEqual([...planRollingUpdate({ ...state, current: { name: 'new', replicas: 1, available: 0 } })], [])
  t.deepEqual([...planRollingUpdate({ ...state, current: { name: 'new', replicas: 1, available: 1 } })], [['old', 3]])
})

const arbitraryState: fc.Arbitrary<RolloutState> = fc
  .record({ replicas: fc.integer({ min: 0, max: 20 }), surge: fc.nat(5), unavailable: fc.nat(5), from: fc.nat(20) })
  .map(({ replicas, surge, unavailable, from }) => ({
    replicas,
    surge,
    unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable,
    current: { name: 'new', replicas: 0, available: 0 },
    old: [{ name: 'old', replicas: from, available: from }],
  }))

test('every rollout ends, and never has too many or too few pods on its way', (t) => {
  fc.assert(
    fc.property(arbitraryState, (start) => {
      let state = start
      const begun = start.old[0]?.replicas ?? 0
      for (let step = 0; step < 200; step++) {
        const plan = planRollingUpdate(state)
        const resized = [state.current, ...state.old].map((set) => ({
          ...set,
          replicas: plan.get(set.name) ?? set.replicas,
        }))
        const total = resized.reduce((sum, set) => sum + set.replicas, 0)
        const available = resized.reduce((sum, set) => sum + Math.min(set.available, set.replicas), 0)
        if (total > Math.max(start.replicas + start.surge, begun)) return false
        if (available < Math.min(start.replicas - start.unavailable, begun)) return false
        // Then everything that exists becomes available.
        const [current, ...old] = resized.map((set) => ({ ...set, available: set.replicas }))
        if (current === undefined) return false
        state = { ...state, current, old }
        if (plan.size === 0) break
      }
      return state.current.replicas === start.replicas && state.old.every((set) => set.replicas === 0)
    }),
  )
  t.pass()
})

test('a Deployment scaled while rolling out shares its new size out by the sizes of its sets', (t) => {
  const sets = [
    { name: 'old', replicas: 8, maxBefore: 13 },
    { name: 'new', replicas: 5, maxBefore: 13 },
  ]
  // The example of the Kubernetes documents: 10 to 15 replicas, 3 more at once.
  t.deepEqual(
    [...planProportionalScale({ replicas: 15, surge: 3, sets })],
    [
      ['old', 11],
      ['new', 7],
    ],
  )
})

test('a shared-out size is the whole size, and nothing grows when the whole shrinks', (t) => {
  const arbitrary = fc.record({
    replicas: fc.nat(30),
    surge: fc.nat(5),
    sizes: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 4 }),
    maxBefore: fc.integer({ min: 1, max: 40 }),
  })
  fc.assert(
    fc.property(arbitrary, ({ maxBefore, replicas, sizes, surge }) => {
      const sets = sizes.map((size, i) => ({ name: `s${i}`, replicas: size, maxBefore }))
      const plan = planProportionalScale({ replicas, surge, sets })
      const before = sizes.reduce((sum, size) => sum + size, 0)
      const allowed = replicas > 0 ? replicas + surge : 0
      const after = sets.map(({ name }) => plan.get(name) ?? 0)
      const others = after.filter((size, i) => size > (sizes[i] ?? 0)).length
      const total = after.reduce((sum, size) => sum + size, 0)
      return (
        after.every((size) => size >= 0) &&
        total >= allowed &&
        (allowed >= before || others <= 0) &&
        (allowed < before || total === allowed)
      )
    }),
  )
  t.pass()
})
