import { PassThrough } from 'node:stream'
import { FakeClock } from '@ambit/testing'
import test from 'ava'
import { EventStream } from '../src/event-stream.ts'
import { SLOW_PAGE_MS } from '../src/limits.ts'

/** A page that reads only when it is told to: one byte is all that waits for it without being asked for. */
function slowPage(): PassThrough {
  return new PassThrough({ readableHighWaterMark: 1, writableHighWaterMark: 1 })
}

test('while a page does not read, only the newest state waits for it', async (t) => {
  const page = slowPage()
  const stream = new EventStream(page, new FakeClock())
  stream.offer('topology', '1')
  for (let i = 2; i <= 1000; i++) stream.offer('topology', String(i))
  t.true(page.writableLength + page.readableLength < 100)
  const texts: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  page.setEncoding('utf8').on('data', (text: string) => {
    texts.push(text)
    if (text.includes('1000')) resolve()
  })
  await promise
  t.deepEqual(texts, ['event: topology\ndata: 1\n\n', 'event: topology\ndata: 1000\n\n'])
})

test('a page that reads in time is kept, one that does not is let go', async (t) => {
  const clock = new FakeClock()
  const page = slowPage()
  const stream = new EventStream(page, clock)
  stream.offer('topology', '1')
  await clock.advance(SLOW_PAGE_MS - 1)
  page.resume()
  await new Promise((drained) => page.once('drain', drained))
  await clock.advance(SLOW_PAGE_MS)
  t.false(page.destroyed)
  page.pause()
  stream.offer('topology', '2')
  stream.offer('topology', '3')
  await clock.advance(SLOW_PAGE_MS)
  t.true(page.destroyed)
  t.is(clock.pending, 0)
  stream.offer('topology', '4')
})
