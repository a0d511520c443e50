import { FakeClock } from '@ambit/testing'
import test from 'ava'
import { Breath } from '../../src/controllers/breath.ts'
import { WorkQueue } from '../../src/controllers/work-queue.ts'
import { silent } from '../apiserver/harness.ts'

/** Lets what is due on the loop happen. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('what is asked while it runs is run once more, never two at a time', async (t) => {
  const clock = new FakeClock()
  const gates: (() => void)[] = []
  using queue = new WorkQueue({
    name: 'q',
    logger: silent,
    clock,
    reconcile: () => new Promise((resolve) => gates.push(resolve)),
  })
  queue.add('a')
  await turns()
  for (let i = 0; i < 3; i++) queue.add('a')
  queue.add('b')
  await turns()
  t.is(gates.length, 2)
  for (const open of gates.splice(0)) open()
  await turns()
  t.is(gates.length, 1)
})

test('the first run is at once, a burst after it is one run when the spacing is over', async (t) => {
  const clock = new FakeClock()
  const runs: number[] = []
  using queue = new WorkQueue({
    name: 'q',
    logger: silent,
    clock,
    spacingMs: 100,
    reconcile: async () => void runs.push(clock.now()),
  })
  const start = clock.now()
  queue.add('a')
  await turns()
  for (let i = 0; i < 9; i++) {
    queue.add('a')
    await clock.advance(10)
    await turns()
  }
  t.deepEqual(runs, [start])
  await clock.advance(10)
  await turns()
  t.deepEqual(runs, [start, start + 100])
})

test('a failure is tried again later and later, until it succeeds', async (t) => {
  const clock = new FakeClock()
  const runs: number[] = []
  using queue = new WorkQueue({
    name: 'q',
    logger: silent,
    clock,
    reconcile: async () => {
      runs.push(clock.now())
      if (runs.length < 4) throw new Error('not yet')
    },
  })
  queue.add('a')
  for (let i = 0; i < 100; i++) {
    await turns()
    await clock.advance(10)
  }
  const gaps = runs.slice(1).map((at, i) => at - (runs[i] ?? 0))
  t.deepEqual(gaps, [20, 40, 80])
})

test('the earliest of several later times counts', async (t) => {
  const clock = new FakeClock()
  const runs: number[] = []
  const start = clock.now()
  using queue = new WorkQueue({
    name: 'q',
    logger: silent,
    clock,
    reconcile: async () => void runs.push(clock.now() - start),
  })
  queue.addAfter('a', 500)
  queue.addAfter('a', 100)
  queue.addAfter('a', 900)
  t.is(clock.pending, 1)
  await clock.advance(1000)
  await turns()
  t.is(runs.length, 1)
})

test('a hundred keys leave room for others between them', async (t) => {
  const order: string[] = []
  using queue = new WorkQueue({
    name: 'q',
    logger: silent,
    clock: new FakeClock(),
    reconcile: async (key) => void order.push(key),
  })
  for (let i = 0; i < 100; i++) queue.add(`k${i}`)
  await new Promise((resolve) => setImmediate(resolve))
  order.push('another')
  while (order.length < 101) await new Promise((resolve) => setImmediate(resolve))
  t.true(order.indexOf('another') < 10, String(order.indexOf('another')))
})

test('work that never waits takes a breath before it has held the loop for long', async (t) => {
  const breath = new Breath()
  let turns = 0
  let going = true
  const count = (): void => {
    turns++
    if (going) setImmediate(count)
  }
  setImmediate(count)
  const end = performance.now() + 200
  while (performance.now() < end) await breath.take()
  going = false
  t.true(turns >= 5, String(turns))
})
