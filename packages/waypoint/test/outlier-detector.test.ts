// control-plane.md 5.3: endpoints that fail in a row are out of use for a while.
import type { OutlierDetection } from '@ambit/state'
import test from 'ava'
import { MAX_EJECTION_MS } from '../src/limits.ts'
import { OutlierDetector } from '../src/upstream/outlier-detector.ts'

const SETTINGS: OutlierDetection = {
  consecutive5xx: 3,
  consecutiveGatewayErrors: 0,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
}

function detector(settings: Partial<OutlierDetection> = {}) {
  const clock = { now: 0 }
  const outliers = new OutlierDetector({ ...SETTINGS, ...settings }, () => clock.now)
  const all = ['a', 'b', 'c', 'd']
  const out = (): readonly string[] => [...outliers.ejectedAmong(all)].sort()
  out()
  const fail = (uid: string, times = 3, status = 500): void => {
    for (let n = 0; n < times; n++) outliers.note(uid, status)
  }
  return { clock, outliers, out, fail }
}

test('so many failures in a row, a success between them begins anew', (t) => {
  const { outliers, out, fail } = detector()
  fail('a', 2)
  outliers.note('a', 404)
  fail('a', 2)
  t.deepEqual(out(), [])
  fail('a', 1)
  t.deepEqual(out(), ['a'])
})

test('back after its time, longer out each time, and less again after quiet intervals', (t) => {
  const { clock, out, fail } = detector()
  fail('a')
  clock.now = 29_999
  t.deepEqual(out(), ['a'])
  clock.now = 30_000
  t.deepEqual(out(), [])
  fail('a')
  clock.now = 89_999
  t.deepEqual(out(), ['a'])
  clock.now = 90_000
  t.deepEqual(out(), [])
  clock.now = 110_000
  fail('a')
  clock.now = 139_999
  t.deepEqual(out(), ['a'])
  clock.now = 140_000
  t.deepEqual(out(), [])
})

test('no longer out than the limit, or than the first time that is asked for', (t) => {
  const { clock, out, fail } = detector({ baseEjectionMs: 200_000 })
  for (let time = 0; time < 2; time++) {
    fail('a')
    t.deepEqual(out(), ['a'])
    clock.now += time === 0 ? 200_000 : MAX_EJECTION_MS
    t.deepEqual(out(), [])
  }
})

test('gateway errors are counted for themselves', (t) => {
  const { outliers, out, fail } = detector({ consecutive5xx: 0, consecutiveGatewayErrors: 2 })
  fail('a', 5, 500)
  fail('a', 1, 503)
  outliers.note('a', 500)
  fail('a', 1, 504)
  t.deepEqual(out(), [])
  fail('a', 1, 502)
  t.deepEqual(out(), ['a'])
})

test('no more of them than the share allows, but always one', (t) => {
  const { out, fail } = detector({ maxEjectionPercent: 10 })
  fail('a')
  fail('b')
  t.deepEqual(out(), ['a'])
  const half = detector({ maxEjectionPercent: 50 })
  for (const uid of ['a', 'b', 'c', 'd']) half.fail(uid)
  t.deepEqual(half.out(), ['a', 'b'])
})

test('with too few left in use nobody is out', (t) => {
  const { out, fail } = detector({ minHealthPercent: 60 })
  fail('a')
  t.deepEqual(out(), ['a'])
  fail('b')
  t.deepEqual(out(), [])
})

test('who is gone is forgotten', (t) => {
  const { outliers, fail } = detector()
  fail('a')
  t.deepEqual([...outliers.ejectedAmong(['b'])], [])
  t.deepEqual([...outliers.ejectedAmong(['a', 'b'])], [])
})
