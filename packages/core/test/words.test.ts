import test from 'ava'
import fc from 'fast-check'
import {
  AmbitError,
  abortable,
  Backoff,
  codeOf,
  formatSpiffeId,
  messageOf,
  parseSpiffeId,
  principalOf,
  sameSpiffeId,
  Watchable,
  when,
} from '../src/index.ts'

test('an identity survives its text', (t) => {
  const part = fc.stringMatching(/^[a-z0-9.-]+$/)
  fc.assert(
    fc.property(part, part, part, (trustDomain, namespace, serviceAccount) => {
      const id = { trustDomain, namespace, serviceAccount }
      t.deepEqual(parseSpiffeId(formatSpiffeId(id)), id)
      t.true(sameSpiffeId(id, { ...id }))
      t.false(principalOf(id).startsWith('spiffe:'))
    }),
  )
})

for (const uri of [
  'https://cluster.local/ns/a/sa/b',
  'spiffe://cluster.local/ns/a/sa/b/c',
  'spiffe://cluster.local/ns/a/sa',
  'spiffe://cluster.local/ns//sa/b',
  'spiffe:///ns/a/sa/b',
  'spiffe://cluster.local/namespace/a/sa/b',
  '',
]) {
  test(`${JSON.stringify(uri)} is no identity`, (t) => t.is(parseSpiffeId(uri), undefined))
}

test('backoff doubles to its cap and starts again after a success', (t) => {
  const backoff = new Backoff({ initialMs: 10, maxMs: 35 })
  t.deepEqual([backoff.next(), backoff.next(), backoff.next(), backoff.next()], [10, 20, 35, 35])
  backoff.reset()
  t.is(backoff.next(), 10)
})

test('jitter stays within its share', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
      const delay = new Backoff({ initialMs: 100, maxMs: 100, jitter: 0.2 }, () => random).next()
      t.true(delay >= 80 && delay <= 120)
    }),
  )
})

test('a watchable tells only changes, and none after disposal', (t) => {
  const watchable = new Watchable(1)
  const seen: number[] = []
  const subscription = watchable.subscribe((value) => seen.push(value))
  watchable.set(1)
  watchable.set(2)
  subscription[Symbol.dispose]()
  watchable.set(3)
  t.deepEqual(seen, [2])
  t.is(watchable.value, 3)
})

test('when resolves with the value that fits, now or later', async (t) => {
  const watchable = new Watchable(0)
  const later = when(watchable, (value) => value > 1)
  watchable.set(1)
  watchable.set(2)
  t.is(await later, 2)
  t.is(await when(watchable, (value) => value === 2), 2)
})

test('when and abortable reject with the reason of the signal', async (t) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const waiting = when(new Watchable(0), () => false, controller.signal)
  const racing = abortable(new Promise(() => {}), controller.signal)
  controller.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  t.is(await t.throwsAsync(racing), reason)
})

test('errors carry their class name, code and cause', (t) => {
  class Broken extends AmbitError {
    readonly code = 'AMBIT_BROKEN'
  }
  const cause = new Error('below')
  const error = new Broken('above', { cause })
  t.is(error.name, 'Broken')
  t.is(codeOf(error), 'AMBIT_BROKEN')
  t.is(error.cause, cause)
  t.is(codeOf('text'), undefined)
  t.is(messageOf('text'), 'text')
})
