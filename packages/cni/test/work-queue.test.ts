import { type Clock, silentLogger } from '@ambit/core'
import test from 'ava'
import { RECONCILE_CONCURRENCY } from '../src/limits.ts'
import { WorkQueue } from '../src/work-queue.ts'

/** Timers that fire when told. */
class Timers {
  readonly delays: number[] = []
  readonly #pending = new Set<() => void>()
  readonly clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: () => Promise.resolve(),
    after: (ms, callback) => {
      this.delays.push(ms)
      this.#pending.add(callback)
      return { [Symbol.dispose]: () => void this.#pending.delete(callback) }
    },
  }

  fire(): void {
    const due = [...this.#pending]
    this.#pending.clear()
    for (const callback of due) callback()
  }
}

test('requests for a key that is worked on become one more run', async (t) => {
  const timers = new Timers()
  const gates: (() => void)[] = []
  let runs = 0
  await using queue = new WorkQueue({ clock: timers.clock, logger: silentLogger }, () => {
    runs++
    return new Promise<void>((resolve) => gates.push(resolve))
  })
  queue.add('a')
  queue.add('a')
  queue.add('a')
  t.is(runs, 1)
  gates[0]?.()
  await new Promise((resolve) => setImmediate(resolve))
  t.is(runs, 2)
  gates[1]?.()
  await queue.idle()
  t.is(runs, 2)
})

for (const [how, ask] of [
  ['a request', (queue: WorkQueue) => queue.add('a')],
  ['the call to try again', (queue: WorkQueue) => queue.retryNow()],
] as const) {
  test(`${how} that comes while an attempt is failing does not wait for the delay`, async (t) => {
    const timers = new Timers()
    const gates: PromiseWithResolvers<void>[] = []
    await using queue = new WorkQueue({ clock: timers.clock, logger: silentLogger }, () => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      return gate.promise
    })
    queue.add('a')
    ask(queue)
    gates[0]?.reject(new Error('not yet'))
    await new Promise((resolve) => setImmediate(resolve))
    t.is(gates.length, 2)
    t.deepEqual(timers.delays, [])
    gates[1]?.resolve()
    await queue.idle()
  })
}

test('failures are tried again with delays from 5 ms to 5 s, until it works', async (t) => {
  const timers = new Timers()
  let failures = 12
  let runs = 0
  await using queue = new WorkQueue({ clock: timers.clock, logger: silentLogger }, async () => {
    runs++
    if (failures-- > 0) throw new Error('not yet')
  })
  queue.add('a')
  for (let i = 0; i < 12; i++) {
    await queue.idle()
    timers.fire()
  }
  await queue.idle()
  t.is(runs, 13)
  t.deepEqual(timers.delays, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000])
})

test('retryNow does not wait for the delay', async (t) => {
  const timers = new Timers()
  let runs = 0
  await using queue = new WorkQueue({ clock: timers.clock, logger: silentLogger }, async () => {
    if (++runs === 1) throw new Error('not yet')
  })
  queue.add('a')
  await queue.idle()
  t.is(runs, 1)
  queue.retryNow()
  await queue.idle()
  t.is(runs, 2)
})

test('only so many keys are worked on at once, and closing waits for them', async (t) => {
  const timers = new Timers()
  const gates: (() => void)[] = []
  const queue = new WorkQueue(
    { clock: timers.clock, logger: silentLogger },
    () => new Promise<void>((resolve) => gates.push(resolve)),
  )
  for (let i = 0; i < 20; i++) queue.add(`pod-${i}`)
  t.is(gates.length, RECONCILE_CONCURRENCY)
  const closed = queue.close()
  for (const open of gates) open()
  await closed
  t.is(gates.length, RECONCILE_CONCURRENCY)
})
