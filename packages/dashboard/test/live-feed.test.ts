import type { Flow } from '@ambit/flow'
import { FlowGraph } from '@ambit/graph'
import { FakeClock } from '@ambit/testing'
import test from 'ava'
import { EdgeTimeline } from '../src/edge-history.ts'
import { HISTORY_POINTS, HISTORY_STEP_MS, MAX_DENIALS, MAX_DENIALS_PER_EDGE, TICK_MS } from '../src/limits.ts'
import { LiveFeed } from '../src/live-feed.ts'
import { flow, service, workload } from './support/bookstore-view.ts'

const STEP = HISTORY_STEP_MS
const NONE = { events: 0, bytes: 0, failed: 0 }

test('rates are of the last whole steps, histories go back five minutes and forget', (t) => {
  const timeline = new EdgeTimeline()
  timeline.add(NONE, 0)
  timeline.add({ ...NONE, events: 20, bytes: 500 }, 100)
  timeline.addDenial(100, 100)
  timeline.addDenial(100, 100)
  t.is(timeline.rates(100).perSecond, 0, 'the step is not over')
  t.deepEqual(timeline.rates(STEP), { perSecond: 2, bytesPerSecond: 50, deniedLately: 2, failedLately: 0 })
  t.is(timeline.rates(STEP * 7).perSecond, 0)
  const { events } = timeline.history(STEP * 7)
  t.is(events.length, HISTORY_POINTS)
  t.is(events.at(-8), 20)
  t.is(timeline.rates(STEP * (HISTORY_POINTS + 1)).deniedLately, 0)
  t.deepEqual(new Set(timeline.history(STEP * (HISTORY_POINTS * 3)).events), new Set([0]))
})

test('a proxy that counts from the beginning again makes no negative numbers', (t) => {
  const timeline = new EdgeTimeline()
  timeline.add({ ...NONE, events: 100 }, 0)
  timeline.add({ ...NONE, events: 3 }, STEP)
  t.deepEqual(timeline.history(STEP).events.slice(-2), [100, 3])
})

test('what was before is no traffic of now, but a denial of a minute ago is shown at its time', (t) => {
  const timeline = new EdgeTimeline()
  timeline.begin({ events: 900, bytes: 9000, failed: 4 })
  timeline.add({ events: 900, bytes: 9000, failed: 4 }, 120_000)
  timeline.addDenial(60_000, 120_000)
  timeline.addDenial(130_000, 120_000)
  timeline.addDenial(-600_000, 120_000)
  const { events, denied } = timeline.history(120_000)
  t.is(Math.max(...events), 0)
  t.is(denied.at(-1 - 60_000 / STEP), 1)
  t.is(denied.at(-1), 1, 'a clock that is ahead')
  t.like(timeline.rates(120_000), { deniedLately: 2, failedLately: 0 })
})

const REVIEWS = `${workload('page').id}>${service('reviews').id}`

interface Told extends AsyncDisposable {
  readonly feed: LiveFeed
  readonly clock: FakeClock
}

function start(): Told {
  const clock = new FakeClock()
  const explain = async (): Promise<never> => await Promise.reject(new Error('not asked here'))
  const feed = new LiveFeed({ graph: new FlowGraph(), clock, explain }, { version: '0', context: 'test' })
  return { feed, clock, [Symbol.asyncDispose]: () => feed.close() }
}

let made = 0
const connect = (to: string, change: Partial<Flow> = {}): Flow => flow('page', to, { id: `f${made++}`, ...change })
const refused = (change: Partial<Flow> = {}): Flow =>
  connect('reviews', {
    state: 'denied',
    side: 'destination',
    verdict: { allowed: false, reason: 'no', policy: 'books/p', rule: 1 },
    ...change,
  })

test('an edge that comes later counts from its first connection', async (t) => {
  await using told = start()
  const { feed, clock } = told
  for (let i = 0; i < 500; i++) feed.take(connect('reviews'))
  await clock.advance(TICK_MS)
  // Another proxy was reached a little later.
  for (let i = 0; i < 500; i++) feed.take(connect('reviews'))
  await clock.advance(TICK_MS)
  t.is(feed.topology().edges[0]?.perSecond, 0)
  await clock.advance(10_000)
  for (let i = 0; i < 10; i++) feed.take(connect('ratings'))
  await clock.advance(TICK_MS)
  await clock.advance(HISTORY_STEP_MS)
  t.deepEqual(
    feed.topology().edges.map(({ perSecond }) => perSecond),
    [1, 0],
  )
})

const ask = (path: string): Partial<Flow> => ({
  protocol: 'http',
  side: 'waypoint',
  request: { method: 'GET', path, host: 'reviews', status: 403 },
})

test('denials: newest first, each once, so many and no more', async (t) => {
  await using told = start()
  const { feed, clock } = told
  const all = Array.from({ length: MAX_DENIALS_PER_EDGE + 5 }, (_, i) =>
    refused({ at: new Date(clock.now() + i).toISOString(), ...ask(`/${i}`) }),
  )
  for (const one of [...all, ...all]) feed.take(one)
  await clock.advance(TICK_MS)
  const { denials } = feed.edge(REVIEWS) ?? {}
  t.is(denials?.length, MAX_DENIALS_PER_EDGE)
  const by = 'ztunnel istio-system/ztunnel-a'
  t.like(denials?.[0], { id: all.at(-1)?.id, times: 1, reason: 'no', policy: 'books/p', rule: 1, by })
  t.is(feed.topology().edges[0]?.deniedLately, all.length)
})

test('the same denial over and over is one, with how often and when last', async (t) => {
  await using told = start()
  const { feed, clock } = told
  const times = ['00:00:03', '00:00:09', '00:00:06'].map((time) => `2026-01-01T${time}.000Z`)
  for (const at of times) feed.take(refused({ at, ...ask('/a') }))
  feed.take(refused({ at: '2026-01-01T00:00:04.000Z', ...ask('/b') }))
  await clock.advance(TICK_MS)
  const shown = feed.edge(REVIEWS)?.denials.map(({ at, times, request }) => [request?.path, times, at])
  t.deepEqual(shown, [
    ['/a', 3, times[1]],
    ['/b', 1, '2026-01-01T00:00:04.000Z'],
  ])
})

test('a denial by a proxy that knows only the pod is shown with the service it was meant for', async (t) => {
  await using told = start()
  const { feed, clock } = told
  feed.take(connect('reviews'))
  feed.take(refused({ service: undefined }))
  await clock.advance(TICK_MS)
  t.deepEqual(
    feed.topology().edges.map(({ id, deniedLately }) => [id, deniedLately]),
    [[REVIEWS, 1]],
  )
  t.is(feed.edge(REVIEWS)?.denials.length, 1)
})

test('denials of all edges together are bounded', async (t) => {
  await using told = start()
  const { feed, clock } = told
  const clients = Array.from({ length: 600 }, (_, i) => `c${i}`)
  for (let at = 0; at < MAX_DENIALS + 1; at++) {
    const name = clients[at % clients.length] ?? ''
    feed.take(flow(name, 'reviews', { id: `d${at}`, state: 'denied', ...ask(`/${at}`) }))
  }
  await clock.advance(TICK_MS)
  const ids = clients.map((name) => `${workload(name).id}>${service('reviews').id}`)
  t.is(
    ids.reduce((sum, id) => sum + (feed.edge(id)?.denials.length ?? 0), 0),
    600,
  )
})

test('an edge is asked about with its last request, a denied one first', async (t) => {
  await using told = start()
  const { feed, clock } = told
  const request = { method: 'GET', path: '/a', host: 'reviews', status: 200 }
  feed.take(connect('reviews', { protocol: 'http', side: 'waypoint', request }))
  feed.take(connect('reviews', { at: '2026-01-01T00:00:20.000Z' }))
  await clock.advance(TICK_MS)
  t.like(feed.edge(REVIEWS)?.question?.request, { method: 'GET', path: '/a' })
  feed.take(refused({ protocol: 'http', side: 'waypoint', request: { ...request, method: 'DELETE' } }))
  await clock.advance(TICK_MS)
  t.like(feed.edge(REVIEWS)?.question?.request, { method: 'DELETE' })
})

test('what is missing is told until it is there again, or is no more', async (t) => {
  await using told = start()
  const { feed } = told
  const health = () => feed.topology().health
  feed.reached('istio-system/a')
  feed.missing('a does not answer', 'istio-system/a')
  feed.missing('a refuses', 'istio-system/a')
  feed.missing('b does not answer', 'istio-system/b')
  feed.general(['waypoints are not asked'])
  t.deepEqual(health(), {
    proxies: 0,
    problems: ['waypoints are not asked', 'a refuses', 'b does not answer'],
    lost: undefined,
  })
  feed.reached('istio-system/a')
  feed.gone('istio-system/b')
  t.deepEqual(health(), { proxies: 1, problems: ['waypoints are not asked'], lost: undefined })
  feed.general([])
  t.deepEqual(health().problems, [])
})

test('what a proxy told of as open is not open when it can no longer be asked', async (t) => {
  await using told = start()
  const { feed, clock } = told
  for (const end of ['missing', 'gone'] as const) {
    feed.take(connect('reviews', { state: 'open' }))
    await clock.advance(TICK_MS)
    t.is(feed.topology().edges[0]?.open, 1)
    if (end === 'missing') feed.missing('gone', 'istio-system/ztunnel-a')
    else feed.gone('istio-system/ztunnel-a')
    await clock.advance(TICK_MS)
    t.deepEqual(feed.topology().edges, [])
    t.is(feed.edge(REVIEWS), undefined)
  }
})

test('a cluster that does not answer is lost since the first time', async (t) => {
  await using told = start()
  const { feed, clock } = told
  feed.tellCluster(new Error('refused'))
  await clock.advance(5_000)
  feed.tellCluster(new Error('refused again'))
  feed.missing('a does not answer', 'istio-system/a')
  const lost = { since: '2026-01-01T00:00:00.000Z', reason: 'refused' }
  t.deepEqual(feed.topology().health, { proxies: 0, problems: [], lost }, 'one reason for all that is missing')
  feed.tellCluster(undefined)
  t.is(feed.topology().health.lost, undefined)
})
