import test from 'ava'
import { barHeights } from '../src/page/bar-heights.ts'
import { chooseDrawn } from '../src/page/choose-drawn.ts'
import { describeEdge, formatAgo, formatBytes, formatNumber, formatRate } from '../src/page/format.ts'
import { nextInDirection } from '../src/page/move-focus.ts'
import { placeLabels } from '../src/page/place-labels.ts'
import { readHeaders } from '../src/page/read-headers.ts'
import { reasonWords } from '../src/page/reason-words.ts'
import { namespacesOf, selectTopology } from '../src/page/select.ts'
import { topologyOf } from '../src/topology-of-graph.ts'
import { edge, service, view, workload } from './support/bookstore-view.ts'

test('numbers are short', (t) => {
  const shown = [0, 0.04, 0.4, 3.25, 9.96, 48.4, 999.4, 999.6, 12_500, 3_200_000].map(formatNumber)
  t.deepEqual(shown, ['0', '<0.1', '0.4', '3.3', '10', '48', '999', '1k', '12.5k', '3.2M'])
})

test('bytes are decimal', (t) => {
  const shown = [0, 999, 1000, 12_345, 999_600, 5e12, 4e16].map(formatBytes)
  t.deepEqual(shown, ['0 B', '999 B', '1 kB', '12 kB', '1 MB', '5 TB', '40000 TB'])
})

test('times change rarely', (t) => {
  const shown = [0, 4, 13, 59, 60, 3599, 7300].map((seconds) => formatAgo(0, seconds * 1000))
  t.deepEqual(shown, ['now', 'now', '10 s ago', '55 s ago', '1 min ago', '59 min ago', '2 h ago'])
})

const [page, reviews, ratings] = [workload('page'), service('reviews'), service('ratings')]
const other = workload('job', 'batch')
const topology = topologyOf(
  view(
    [page, reviews, ratings, other],
    [
      edge(page, reviews, { endpoints: ['books/reviews-v1'], waypoints: ['gates/waypoint'] }),
      edge(other, ratings, { transports: ['plain'], plainText: true, keyExchanges: [], tlsVersions: [] }),
    ],
  ),
  {
    health: { proxies: 1, problems: [] },
    ratesOf: ({ from }) => ({
      perSecond: from === page.id ? 2 : 0,
      bytesPerSecond: 0,
      deniedLately: from === page.id ? 3 : 0,
      failedLately: 0,
    }),
  },
)

test('a filter takes edges that touch it, with their nodes and the pods behind', (t) => {
  const all = selectTopology(topology, { namespace: '', text: '' })
  t.is(all.edges.length, 2)
  t.deepEqual(
    all.nodes.map(({ id }) => id),
    topology.nodes.map(({ id }) => id),
  )
  const batch = selectTopology(topology, { namespace: 'batch', text: '' })
  t.deepEqual(
    batch.nodes.map(({ id }) => id),
    [ratings.id, other.id],
  )
  t.is(selectTopology(topology, { namespace: 'gates', text: '' }).edges.length, 1)
  t.deepEqual(namespacesOf(topology), ['batch', 'books', 'gates'])
})

test('text is found in names, transport and denials; every word has to fit', (t) => {
  const count = (text: string): number => selectTopology(topology, { namespace: '', text }).edges.length
  t.deepEqual(
    ['', 'BOOKS/rev', 'plain', 'denied', 'page denied', 'job denied', 'nobody'].map(count),
    [2, 1, 1, 1, 1, 0, 0],
  )
})

test('what an edge is, in words', (t) => {
  const [plain, refused] = topology.edges.toSorted((a, b) => a.perSecond - b.perSecond)
  t.is(
    plain && describeEdge(plain, 'batch/job', 'books/ratings', undefined),
    'batch/job to books/ratings, plain text, not encrypted',
  )
  t.is(
    refused && describeEdge(refused, 'books/page', 'books/reviews', 'gates/waypoint'),
    'books/page to books/reviews, through waypoint gates/waypoint, mutual TLS, post-quantum key exchange, 3 denied',
  )
  t.deepEqual(topology.edges.map(formatRate).sort(), ['1 open', '2/s'])
})

test('arrow keys go to the nearest in their direction, and nowhere at the edge', (t) => {
  const places = [
    ['a', { x: 0, y: 0 }],
    ['b', { x: 100, y: 10 }],
    ['c', { x: 90, y: 80 }],
    ['d', { x: 0, y: 90 }],
  ] as const
  const from = (id: string): { x: number; y: number } =>
    new Map<string, { x: number; y: number }>(places).get(id) ?? { x: 0, y: 0 }
  t.is(nextInDirection(from('a'), places, 'ArrowRight'), 'b')
  t.is(nextInDirection(from('a'), places, 'ArrowDown'), 'd')
  t.is(nextInDirection(from('c'), places, 'ArrowUp'), 'b')
  t.is(nextInDirection(from('c'), places, 'ArrowLeft'), 'd')
  t.is(nextInDirection(from('a'), places, 'ArrowUp'), undefined)
})

test('labels give way to each other', (t) => {
  const places = [
    { x: 100, y: 100 },
    { x: 100, y: 200 },
  ]
  const placed = placeLabels(
    [
      { edge: 'a', places },
      { edge: 'b', places },
    ],
    [],
  )
  t.deepEqual([...placed.values()], places)
})

test('bars are parts of the tallest; the newest point ends the last bar', (t) => {
  t.deepEqual(barHeights([9, 1, 1, 0, 4], 2), [0.5, 1])
  t.deepEqual(barHeights([0, 0], 2), [0])
  t.deepEqual(barHeights([], 2), [])
})

test('headers as lines', (t) => {
  t.deepEqual(readHeaders(' X-User: jason \n\nempty\nurl: http://a:1\n'), [
    ['X-User', 'jason'],
    ['empty', ''],
    ['url', 'http://a:1'],
  ])
})

test('reasons name what decided, or what did not match', (t) => {
  t.is(reasonWords({ reason: 'deny-policy', policy: 'a/b', rule: 2 }), 'a DENY policy matches: a/b, rule 2')
  t.is(
    reasonWords({ reason: 'not-allowed', unmatched: ['a/b', 'a/c'] }),
    'no ALLOW policy lets it pass; there is a/b, a/c',
  )
  t.is(reasonWords({ reason: 'rbac_access_denied_matched_policy[none]' }), 'no ALLOW policy lets it pass')
  t.is(
    reasonWords({ reason: 'rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]', policy: 'a/b', rule: 0 }),
    'a DENY policy matches: a/b, rule 0',
  )
  t.is(reasonWords({ reason: 'what else a proxy says' }), 'what else a proxy says')
})

test('of too many edges the refused are drawn, then those that are, then the busiest', (t) => {
  const clients = Array.from({ length: 10 }, (_, i) => workload(`c${i}`))
  const many = topologyOf(
    view(
      [...clients, ratings],
      clients.map((client) => edge(client, ratings)),
    ),
    {
      health: { proxies: 1, problems: [] },
      ratesOf: ({ from }) => ({
        perSecond: Number(from.at(-1)),
        bytesPerSecond: 0,
        deniedLately: from.endsWith('c1') ? 1 : 0,
        failedLately: 0,
      }),
    },
  )
  const before = new Set([edge(workload('c3'), ratings).id])
  const drawn = chooseDrawn({ ...many }, before, 3)
  t.deepEqual(
    drawn.edges.map(({ from }) => from.at(-1)),
    ['1', '3', '9'],
  )
  t.is(drawn.nodes.length, 4)
  t.is(chooseDrawn(many, before, 10), many)
})
