import type { ClauseTrace, RuleTrace } from '@ambit/explain'
import test from 'ava'
import { neededClauses, preventingClauses } from '../src/decisive-clauses.ts'

/** `+field` holds, `-field` does not. */
function rule(...written: readonly string[]): RuleTrace {
  const clauses = written.map(
    (text): ClauseTrace => ({ field: text.slice(1), holds: text.startsWith('+'), wanted: [], notWanted: [] }),
  )
  return { rule: 0, matched: true, clauses }
}

test('of a rule that matched: what it could not have matched without', (t) => {
  t.deepEqual(
    neededClauses(
      rule('+from[0].source.principals', '+to[0].operation.methods', '+to[0].operation.paths', '+when[0][x]'),
    ),
    ['from[0].source.principals', 'to[0].operation.methods', 'to[0].operation.paths', 'when[0][x]'],
  )
  // One of two alternatives holds: it is needed. Both hold: neither is.
  t.deepEqual(neededClauses(rule('+from[0].source.a', '-from[1].source.a')), ['from[0].source.a'])
  t.deepEqual(neededClauses(rule('+from[0].source.a', '+from[1].source.a', '+when[0][x]')), ['when[0][x]'])
})

test('of a rule that did not match: what alone kept it from that', (t) => {
  t.deepEqual(preventingClauses(rule('+from[0].source.a', '-to[0].operation.methods')), ['to[0].operation.methods'])
  t.deepEqual(preventingClauses(rule('-from[0].source.a', '-to[0].operation.methods')), [])
  t.deepEqual(preventingClauses(rule('-when[0][x]', '-when[1][y]')), [])
  t.deepEqual(preventingClauses(rule('+when[0][x]', '-when[1][y]')), ['when[1][y]'])
  // Of alternatives that all fail, each that fails by one clause alone.
  t.deepEqual(
    preventingClauses(rule('-from[0].source.a', '+from[0].source.b', '-from[1].source.a', '-from[1].source.b')),
    ['from[0].source.a'],
  )
  t.deepEqual(preventingClauses(rule('-from[0].source.a', '-from[1].source.a')), [
    'from[0].source.a',
    'from[1].source.a',
  ])
})
