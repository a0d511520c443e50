import test from 'ava'
import { takeStartLock } from '../src/host/start-lock.ts'

test('two for the same sandbox go one after the other, in whatever order they ask', async (t) => {
  const order: string[] = []
  const first = await takeStartLock('/x/same')
  const second = takeStartLock('/x/same').then((lock) => {
    order.push('second')
    lock[Symbol.dispose]()
  })
  const third = takeStartLock('/x/same').then((lock) => {
    order.push('third')
    lock[Symbol.dispose]()
  })
  const other = await takeStartLock('/x/other')
  order.push('other')
  other[Symbol.dispose]()
  order.push('first')
  first[Symbol.dispose]()
  await Promise.all([second, third])
  t.deepEqual(order.slice(0, 2), ['other', 'first'])
  t.deepEqual(order.slice(2).sort(), ['second', 'third'])
})
