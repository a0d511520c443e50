import test from 'ava'
import { ROWS, type Row, titleOf } from './authorization-rows.ts'
import { ALLOW, DENY, verdictOf } from './request-helpers.ts'

const rowHolds = test.macro({
  exec(t, { rule, hits, misses }: Row) {
    for (const [shape, matches] of [
      ...hits.map((hit) => [hit, true] as const),
      ...misses.map((miss) => [miss, false] as const),
    ]) {
      const what = JSON.stringify(shape)
      t.is(verdictOf([{ action: ALLOW, rules: [rule] }], shape).allowed, matches, `ALLOW of ${what}`)
      t.is(verdictOf([{ action: DENY, rules: [rule] }], shape).allowed, !matches, `DENY of ${what}`)
    }
  },
  title: (_, row) => titleOf(row),
})

for (const row of ROWS) test(rowHolds, row)
