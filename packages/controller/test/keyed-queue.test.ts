import { FakeClock, RecordingLogger } from '@ambit/testing'
import test from 'ava'
import { KeyedQueue } from '../src/gateway/keyed-queue.ts'
import { GATEWAY_BACKOFF, GATEWAY_CONCURRENCY } from '../src/limits.ts'

test('so many at a time, a name never twice at once, and once more after a change meanwhile', async (t) => {
  const running = new Map<string, PromiseWithResolvers<void>>()
  const started: string[] = []
  const end = new AbortController()
  const work = (key: string): Promise<void> => {
    started.push(key)
    t.false(running.has(key))
    const gate = Promise.withResolvers<void>()
    running.set(key, gate)
    return gate.promise.finally(() => running.delete(key))
  }
  const queue = new KeyedQueue({ work, what: 'x', clock: new FakeClock(), logger: new RecordingLogger() }, end.signal)
  const keys = Array.from({ length: GATEWAY_CONCURRENCY + 1 }, (_, i) => `k${i}`)
  for (const key of [...keys, 'k0', 'k0']) queue.add(key)
  t.deepEqual(started, keys.slice(0, GATEWAY_CONCURRENCY))
  for (;;) {
    const [gate] = running.values()
    if (gate === undefined) break
    gate.resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await queue.settled()
  t.deepEqual(started.toSorted(), [...keys, 'k0'].toSorted())
})

test('a failure is tried again later, until it works or the end', async (t) => {
  const clock = new FakeClock()
  const logger = new RecordingLogger()
  const end = new AbortController()
  let failures = 2
  const work = (): Promise<void> => (failures-- > 0 ? Promise.reject(new Error('no')) : Promise.resolve())
  const queue = new KeyedQueue({ work, what: 'not done', clock, logger }, end.signal)
  queue.add('a/b')
  for (let i = 0; i < 3; i++) {
    await queue.settled()
    await clock.advance(GATEWAY_BACKOFF.maxMs)
  }
  t.is(failures, -1)
  t.deepEqual(
    logger.records.map(({ message }) => message),
    ['not done, trying again: no', 'not done, trying again: no'],
  )
  end.abort()
  queue.add('a/b')
  await queue.settled()
  t.is(failures, -1)
})
