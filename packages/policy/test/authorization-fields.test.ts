import test from 'ava'
import { ROWS, titleOf } from './authorization-rows.ts'
import { ALLOW, DENY, verdictOf } from './request-helpers.ts'

// Each row is tried as the only rule of an ALLOW and of a DENY policy, through the wire format.
for (const row of ROWS) {
  test(titleOf(row), (t) => {
    const { rule, hits, misses } = row
    for (const shape of [...hits, ...misses]) {
      const matches = hits.includes(shape)
      const what = JSON.stringify(shape)
      t.is(verdictOf([{ action: ALLOW, rules: [rule] }], shape).allowed, matches, `ALLOW of ${what}`)
      t.is(verdictOf([{ action: DENY, rules: [rule] }], shape).allowed, !matches, `DENY of ${what}`)
    }
  })
}
