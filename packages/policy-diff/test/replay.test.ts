import test from 'ava'
import type { FlowsDiff } from '../src/diff.types.ts'
import type { FlowsHeader, RecordedFlow } from '../src/flows/flows.types.ts'
import type { ReadFlows } from '../src/flows/read-flows.ts'
import { diffOf } from './diff-of.ts'
import { AT, CLIENT } from './flow-samples.ts'
import { atWaypoint, policy } from './objects.ts'

const HEADER: FlowsHeader = {
  kind: 'header',
  format: 'ambit.flows/v1',
  startedAt: AT,
  namespaces: [],
  reads: { headers: ['x-team'], claims: [] },
}

function recordingOf(...flows: readonly RecordedFlow[]): ReadFlows {
  const end = { kind: 'end' as const, at: AT, complete: true, reason: 'stopped', flows: flows.length, counted: 0 }
  return { header: HEADER, flows, gaps: [], end, problems: [] }
}

function request(more: Partial<RecordedFlow['request']> = {}, flow: Partial<RecordedFlow> = {}): RecordedFlow {
  return {
    kind: 'flow',
    judge: 'waypoint',
    gateway: 'shop/waypoint',
    client: { identity: CLIENT, namespace: 'shop', workload: 'client-v1' },
    service: { namespace: 'shop', hostname: 'web.shop.svc.cluster.local', port: 80 },
    request: { method: 'GET', path: '/api/{number}', host: 'web.shop', ...more },
    verdict: { allowed: true, reason: 'no-allow-policies' },
    outcome: 'allowed',
    count: 1,
    firstSeen: AT,
    lastSeen: AT,
    ...flow,
  }
}

function connection(flow: Partial<RecordedFlow> = {}): RecordedFlow {
  const { request: _, gateway: __, ...rest } = request()
  return {
    ...rest,
    judge: 'ztunnel',
    service: { namespace: 'back', hostname: 'db.back.svc.cluster.local', port: 80 },
    server: { namespace: 'back', workload: 'db-v1', port: 8080 },
    ...flow,
  }
}

function replayed(before: readonly string[], after: readonly string[], ...flows: readonly RecordedFlow[]): FlowsDiff {
  const diff = diffOf(before, after, { flows: recordingOf(...flows) })
  if (diff.flows === undefined) throw new Error('no flows')
  return diff.flows
}

const allow = (rules: readonly object[]): string =>
  policy('shop', 'p', { ...atWaypoint('web'), action: 'ALLOW', rules })
const operation = (of: object): object => ({ to: [{ operation: of }] })

test('flows that a policy locks out, with their counts, the rule and the nearest miss', (t) => {
  const posts = request({ method: 'POST' }, { count: 7 })
  const { changed, total, unchanged, unjudged, outdated } = replayed(
    [],
    [allow([operation({ methods: ['GET'] })])],
    request({}, { count: 100 }),
    posts,
    connection({ count: 3 }),
  )
  t.deepEqual([total, unchanged, unjudged, outdated], [110, 103, [], 0])
  t.is(changed.length, 1)
  t.like(changed[0], {
    change: 'denied',
    count: 7,
    client: 'shop/client',
    destination: 'service shop/web:80',
    request: 'POST /api/{number}',
    after: { point: 'waypoint', unmatched: ['shop/p'] },
    firstSeen: AT,
  })
  t.deepEqual(
    changed[0]?.nearest?.failed.map(({ field }) => field),
    ['to[0].operation.methods'],
  )
})

test('versions of one client are told together', (t) => {
  const version = (name: string, count: number, at: string): RecordedFlow =>
    request({}, { client: { identity: CLIENT, namespace: 'shop', workload: name }, count, firstSeen: at, lastSeen: at })
  const { changed } = replayed(
    [],
    [allow([operation({ methods: ['POST'] })])],
    version('client-v1', 300, '2026-11-21T18:01:00.000Z'),
    version('client-v2', 299, '2026-11-21T18:02:00.000Z'),
  )
  t.is(changed.length, 1)
  t.like(changed[0], {
    count: 599,
    firstSeen: '2026-11-21T18:01:00.000Z',
    lastSeen: '2026-11-21T18:02:00.000Z',
  })
})

test('flows that were denied and are let in', (t) => {
  const denied = request(
    { method: 'POST' },
    { outcome: 'denied', verdict: { allowed: false, reason: 'not-allowed' }, count: 4 },
  )
  const { changed, outdated } = replayed(
    [allow([operation({ methods: ['GET'] })])],
    [allow([operation({ methods: ['GET', 'POST'] })])],
    denied,
  )
  t.like(changed[0], {
    change: 'allowed',
    count: 4,
    after: { policy: 'shop/p', rule: 0 },
    before: { outcome: 'denied' },
  })
  t.is(outdated, 0)
})

test('connections are judged where they went', (t) => {
  const only = policy('back', 'only', { action: 'ALLOW', rules: [{ from: [{ source: { namespaces: ['zoo'] } }] }] })
  const direct = connection({ service: undefined })
  const { changed } = replayed([], [only], connection({ count: 2 }), direct)
  t.deepEqual(
    changed.map(({ destination, count, request: what }) => [destination, count, what]),
    [
      ['service back/db:80', 2, undefined],
      ['workload back/db-v1:8080', 1, undefined],
    ],
  )
})

test('where endpoints differ, a connection is judged by the one that answered', (t) => {
  const spec = { selector: { matchLabels: { version: 'v2' } }, action: 'DENY', rules: [{}] }
  const answeredBy = (workload: string, count: number): RecordedFlow =>
    connection({ server: { namespace: 'back', workload, port: 8080 }, count })
  const unknown = connection({ server: undefined, count: 5 })
  const { changed, unchanged, unjudged } = replayed(
    [],
    [policy('back', 'v2', spec)],
    answeredBy('db-v1', 3),
    answeredBy('db-v2', 4),
    unknown,
  )
  t.is(unchanged, 3)
  t.deepEqual(
    changed.map(({ destination, count, after }) => [destination, count, after.policy]),
    [['workload back/db-v2:8080', 4, 'back/v2']],
  )
  t.deepEqual(
    unjudged.map(({ reason, count }) => [reason, count]),
    [['it depends on which endpoint answers', 5]],
  )
})

test('what is not known any more is named and counted', (t) => {
  const gone = { namespace: 'shop', hostname: 'old.shop.svc.cluster.local', port: 80 }
  const { unjudged, unchanged } = replayed(
    [],
    [],
    request({}, { service: gone, count: 5 }),
    connection({ service: undefined, server: { namespace: 'back', workload: 'cache', port: 6379 }, count: 2 }),
    connection({ service: undefined, server: undefined }),
    request({}, { judge: 'gateway', gateway: 'shop/edge' }),
  )
  t.is(unchanged, 0)
  t.deepEqual(
    unjudged.map(({ reason, count }) => [count, reason.replace(/; .*/, '')]),
    [
      [5, 'service shop/old.shop.svc.cluster.local is not known'],
      [2, 'there is no pod back/cache'],
      [1, 'a destination without a name is not known'],
      [1, 'gateway shop/edge is not known'],
    ],
  )
  t.deepEqual(unjudged[0]?.flows, ['shop/client to old.shop.svc.cluster.local:80 GET /api/{number}'])
})

test('what depends on something that was not recorded is not guessed', (t) => {
  const one = replayed([], [allow([operation({ paths: ['/api/7'] })])], request({}, { count: 9 }))
  t.deepEqual(
    one.unjudged.map(({ reason, count }) => [count, reason]),
    [[9, 'it depends on the path in full, which was not recorded']],
  )
  t.deepEqual(one.changed, [])

  const header = { when: [{ key: 'request.headers[x-kind]', values: ['a'] }] }
  const other = replayed([], [allow([header])], request())
  t.deepEqual(
    other.unjudged.map(({ reason }) => reason),
    ['it depends on header x-kind, which was not recorded'],
  )

  // A header that policies read was recorded, or was not sent.
  const known = { when: [{ key: 'request.headers[x-team]', values: ['red'] }] }
  const { changed, unjudged, unchanged } = replayed(
    [],
    [allow([known])],
    request({ headers: { 'x-team': 'red' } }, { count: 2 }),
    request({}, { count: 3 }),
  )
  t.deepEqual([unjudged, unchanged, changed.map(({ count }) => count)], [[], 2, [3]])
})

test('a path that no value of which matters is judged all the same', (t) => {
  const { unjudged, changed } = replayed([], [allow([operation({ paths: ['/api/*', '/other/7'] })])], request())
  t.deepEqual([unjudged, changed], [[], []])
})

test('flows that ended otherwise than policies say now are counted', (t) => {
  const { outdated } = replayed(
    [allow([operation({ methods: ['GET'] })])],
    [],
    request({ method: 'POST' }, { count: 6 }),
  )
  t.is(outdated, 6)
})

test('what a recording lacks is part of the answer', (t) => {
  const flows: ReadFlows = {
    ...recordingOf(request()),
    gaps: [{ kind: 'gap', at: AT, message: 'istio-system/ztunnel-2: can not be asked', count: 3 }],
    end: undefined,
    problems: ['line 3: it is cut short'],
  }
  const { gaps, flows: told } = diffOf([], [], { flows })
  t.false(told?.isComplete)
  t.true(gaps.includes('the recording: istio-system/ztunnel-2: can not be asked (3 times)'))
  t.true(gaps.includes('the recording, line 3: it is cut short'))
  t.true(gaps.some((gap) => gap.startsWith('the recording has no end')))
})
