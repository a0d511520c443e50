import test from 'ava'
import { bounded } from '../src/programs/httpbin/bodies.ts'
import { chosen } from '../src/programs/httpbin/state.ts'

test('a status is chosen by its weight', (t) => {
  const choices = [
    { code: 200, weight: 0.9 },
    { code: 503, weight: 0.1 },
  ]
  t.is(chosen(choices, 0), 200)
  t.is(chosen(choices, 0.89), 200)
  t.is(chosen(choices, 0.91), 503)
  t.is(chosen([{ code: 404, weight: 0 }], 0.5), 404)
})

test('numbers of requests keep within bounds, and what is none is the least', (t) => {
  t.is(bounded('5', 10), 5)
  t.is(bounded('50', 10), 10)
  t.is(bounded('-1', 10), 0)
  t.is(bounded('x', 10, 1), 1)
  t.is(bounded(null, 10, 2), 2)
})
