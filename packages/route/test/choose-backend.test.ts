import test from 'ava'
import fc from 'fast-check'
import { chooseBackend, chooseMirrors } from '../src/index.ts'
import { backend, chances } from './helpers.ts'

const DRAWS = 20_000

function shares(...backends: readonly ReturnType<typeof backend>[]): ReadonlyMap<string, number> {
  const random = chances()
  const counts = new Map<string, number>()
  for (let draw = 0; draw < DRAWS; draw++) {
    const choice = chooseBackend(backends, random)
    const name = choice.kind === 'backend' ? choice.backend.service : choice.reason
    counts.set(name, (counts.get(name) ?? 0) + 1 / DRAWS)
  }
  return counts
}

test('nothing to choose from', (t) => {
  t.deepEqual(
    chooseBackend([], () => 0),
    { kind: 'failed', reason: 'no-backends' },
  )
  t.deepEqual(
    chooseBackend([backend({ weight: 0 })], () => 0),
    { kind: 'failed', reason: 'no-backends' },
  )
})

test('all of them invalid', (t) => {
  const invalid = backend({ invalid: true })
  t.deepEqual(
    chooseBackend([invalid, invalid], () => 0.9),
    { kind: 'failed', reason: 'invalid-backend' },
  )
})

test('a backend that is invalid keeps its share', (t) => {
  const counts = shares(backend({ weight: 3 }), backend({ weight: 1, invalid: true }))
  t.true(Math.abs((counts.get('invalid-backend') ?? 0) - 0.25) < 0.02)
})

test('a weight of zero is never drawn', (t) => {
  for (const at of [0, 0.5, 1 - Number.EPSILON / 2]) {
    const choice = chooseBackend(
      [backend({ weight: 0 }), backend({ service: 'b', weight: 5 }), backend({ weight: 0 })],
      () => at,
    )
    t.is(choice.kind === 'backend' ? choice.backend.service : '', 'b')
  }
})

test('shares come near the weights', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(4_294_967_295), { minLength: 1, maxLength: 5 }), (weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      if (total === 0) return true
      const counts = shares(...weights.map((weight, index) => backend({ service: String(index), weight })))
      return weights.every((weight, index) => Math.abs((counts.get(String(index)) ?? 0) - weight / total) < 0.02)
    }),
    { numRuns: 30 },
  )
  t.pass()
})

test('mirrors get their share, each for itself; those that are invalid none', (t) => {
  const mirrors = [1_000_000, 250_000, 0].map((perMillion) => ({ backend: backend(), perMillion }))
  const all = [...mirrors, { backend: backend({ invalid: true }), perMillion: 1_000_000 }]
  const random = chances()
  const counts = [0, 0, 0, 0]
  for (let draw = 0; draw < DRAWS; draw++) {
    for (const mirror of chooseMirrors(all, random)) counts[all.indexOf(mirror)]! += 1 / DRAWS
  }
  t.true(Math.abs(counts[0]! - 1) < 1e-6)
  t.true(Math.abs(counts[1]! - 0.25) < 0.02)
  t.deepEqual(counts.slice(2), [0, 0])
})
