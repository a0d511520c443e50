import test from 'ava'
import { isNear, nearestWord } from '../src/index.ts'

test('the beginning of a word and a slip or two are near; of a short word one slip', (t) => {
  t.true(isNear('namespace', 'names'))
  t.true(isNear('reviews', 'reveiws'))
  t.true(isNear('to', 'tp'))
  t.false(isNear('to', 'ab'))
  t.false(isNear('reviews', 'ratings'))
  t.false(isNear('reviews', 'r'))
})

test('of several near words the nearest is meant', (t) => {
  t.is(nearestWord(['shop/ratings', 'shop/rating', 'shop/reviews'], 'shop/ratngs'), 'shop/ratings')
  t.is(nearestWord(['shop/reviews'], 'other/else'), undefined)
  t.is(nearestWord([], 'x'), undefined)
})
