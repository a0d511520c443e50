import test from 'ava'
import { MAX_FILLED_PATTERNS, MAX_QUESTIONS_PER_DESTINATION } from '../src/limits.ts'
import { diffOf } from './diff-of.ts'
import { atWaypoint, policy } from './objects.ts'

test('more questions than are asked of one destination: the answer says that it is partial, and where', (t) => {
  // Each header is there with the value, with another, or not: 3 to the power of 10 combinations.
  const rules = Array.from({ length: 10 }, (_, i) => ({ when: [{ key: `request.headers[x-${i}]`, values: ['a'] }] }))
  t.true(3 ** rules.length > MAX_QUESTIONS_PER_DESTINATION)
  const { isPartial, gaps } = diffOf([], [policy('shop', 'p', { ...atWaypoint('web'), action: 'ALLOW', rules })])
  t.true(isPartial)
  t.true(gaps.some((gap) => gap.startsWith('service shop/web:80: its policies tell more apart than is tried')))
})

test('more prefixes and suffixes than are combined: the answer says that it is partial', (t) => {
  const count = Math.ceil(Math.sqrt(MAX_FILLED_PATTERNS)) + 1
  const hosts = Array.from({ length: count }, (_, i) => [`p${i}-*`, `*-s${i}`]).flat()
  const spec = { ...atWaypoint('web'), action: 'ALLOW', rules: [{ to: [{ operation: { hosts } }] }] }
  const { isPartial, regions } = diffOf([], [policy('shop', 'p', spec)])
  t.true(isPartial)
  t.is(regions[0]?.change, 'denied')
})
