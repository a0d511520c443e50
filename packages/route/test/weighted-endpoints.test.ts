import type { SelectedEndpoint, Workload } from '@ambit/state'
import test from 'ava'
import fc from 'fast-check'
import { WeightedEndpoints } from '../src/weighted-endpoints.ts'
import { chances } from './helpers.ts'

const LARGEST = 4_294_967_295
const ALMOST_ONE = 1 - Number.EPSILON / 2

function endpointsOf(capacities: readonly number[]): SelectedEndpoint[] {
  return capacities.map((capacity, index) => ({ workload: { uid: String(index), capacity } as Workload, port: 80 }))
}

const chance = fc.oneof(fc.constantFrom(0, 0.5, ALMOST_ONE), fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }))
const capacity = fc.oneof(fc.constantFrom(0, 1, LARGEST), fc.nat(10))

test('whatever chance says: two that differ and have a capacity, as far as there are', (t) => {
  fc.assert(
    fc.property(fc.array(capacity, { maxLength: 8 }), chance, chance, (capacities, first, second) => {
      const chances = [first, second]
      const drawn = new WeightedEndpoints(endpointsOf(capacities)).drawTwo(() => chances.shift() ?? 0)
      const usable = capacities.filter((capacity) => capacity > 0).length
      const distinct = new Set(drawn.map(({ workload }) => workload.uid)).size
      return (
        distinct === Math.min(2, usable) && drawn.length === distinct && drawn.every((e) => e.workload.capacity > 0)
      )
    }),
    { numRuns: 5_000 },
  )
  t.pass()
})

test('the first is drawn by its capacity, the second by its capacity among the others', (t) => {
  const weighted = new WeightedEndpoints(endpointsOf([1, 2, 5]))
  const random = chances()
  const counts: Record<string, number> = {}
  const draws = 40_000
  for (let draw = 0; draw < draws; draw++) {
    const pair = weighted.drawTwo(random).map(({ workload }) => workload.capacity)
    counts[pair.join(' ')] = (counts[pair.join(' ')] ?? 0) + 1 / draws
  }
  for (const [first, second] of [
    [1, 2],
    [1, 5],
    [2, 1],
    [2, 5],
    [5, 1],
    [5, 2],
  ] as const) {
    const want = (first / 8) * (second / (8 - first))
    t.true(Math.abs((counts[`${first} ${second}`] ?? 0) - want) < 0.015, JSON.stringify(counts))
  }
})
