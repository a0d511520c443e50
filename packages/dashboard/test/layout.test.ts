import test from 'ava'
import fc from 'fast-check'
import { assignLayers } from '../src/page/layers.ts'
import { layoutTopology, NODE_HEIGHT } from '../src/page/layout.ts'
import type { Box, LayoutEdge, LayoutNode } from '../src/page/layout.types.ts'
import { LABEL_HEIGHT, LABEL_WIDTH } from '../src/page/place-labels.ts'

const node = (id: string, namespace: string | undefined = id.split('/')[0]): LayoutNode => ({ id, namespace })
const edge = (from: string, to: string, via?: string): LayoutEdge => ({ id: `${from}>${to}`, from, to, via })

const BOOKS = ['page', 'details', 'reviews', 'ratings', 'details-v1', 'reviews-v1', 'reviews-v2', 'ratings-v1'].map(
  (name) => node(`books/${name}`),
)
const CALLS = [
  ['page', 'details'],
  ['page', 'reviews'],
  ['details', 'details-v1'],
  ['reviews', 'reviews-v1'],
  ['reviews', 'reviews-v2'],
  ['reviews-v2', 'ratings'],
  ['ratings', 'ratings-v1'],
].map(([from, to]) => edge(`books/${from}`, `books/${to}`))

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

test('who is called stands right of who calls', (t) => {
  const { nodes } = layoutTopology(BOOKS, CALLS, 1200)
  for (const { from, to } of CALLS) t.true((nodes.get(from)?.x ?? 0) < (nodes.get(to)?.x ?? 0), `${from} ${to}`)
})

test('the order in which things are told changes nothing', (t) => {
  t.deepEqual(layoutTopology(BOOKS.toReversed(), CALLS.toReversed(), 1200), layoutTopology(BOOKS, CALLS, 1200))
})

test('a waypoint stands at the door of what it stands before, and the edge has two legs', (t) => {
  const all = ['a/client', 'a/waypoint', 'a/server'].map((id) => node(id))
  const layout = layoutTopology(all, [edge('a/client', 'a/server', 'a/waypoint')], 900)
  t.false(layout.nodes.has('a/waypoint'))
  const [gate] = layout.gates.values()
  t.like(gate, { waypoint: 'a/waypoint', before: 'a/server' })
  const xs = [layout.nodes.get('a/client')?.x ?? 0, gate?.x ?? 0, layout.nodes.get('a/server')?.x ?? 0]
  t.deepEqual(
    xs,
    xs.toSorted((a, b) => a - b),
  )
  t.is(layout.edges.get('a/client>a/server')?.legs.length, 2)
})

test('edges keep their order from the waypoint on', (t) => {
  const names = ['a/low', 'a/high', 'b/other', 'a/server', 'a/waypoint']
  const edges = ['a/low', 'a/high', 'b/other'].map((from) => edge(from, 'a/server', 'a/waypoint'))
  const layout = layoutTopology(
    names.map((id) => node(id)),
    edges,
    900,
  )
  const endsOf = (leg: number): readonly string[] =>
    [...layout.edges]
      .map(([id, { legs }]) => ({ id, y: Number(/ ([\d.]+)$/.exec(legs[leg] ?? '')?.[1]) }))
      .sort((a, b) => a.y - b.y)
      .map(({ id }) => id)
  t.deepEqual(endsOf(0), endsOf(1))
})

test('a circle is drawn with one leg back', (t) => {
  const layers = assignLayers(
    ['a', 'b', 'c'],
    [
      { edge: '1', from: 'a', to: 'b' },
      { edge: '2', from: 'b', to: 'c' },
      { edge: '3', from: 'c', to: 'a' },
    ],
  )
  t.deepEqual([...layers.values()], [0, 1, 2])
})

test('what stands far from the rest of its namespace has a frame of its own', (t) => {
  const chain = ['a', 'b', 'c', 'd', 'e'].map((name) => `shop/${name}`)
  const edges = chain.slice(1).map((to, i) => edge(chain[i] ?? '', to))
  const callers = [edge('team/early', 'shop/a'), edge('team/late', 'shop/e')]
  const nodes = [...chain, 'team/early', 'team/late'].map((id) => node(id))
  const { groups } = layoutTopology(nodes, [...edges, ...callers], 1400)
  t.deepEqual(groups.map(({ namespace }) => namespace).toSorted(), ['shop', 'team', 'team'])
})

test('who talks to its own kind has a loop', (t) => {
  const layout = layoutTopology([node('a/x')], [edge('a/x', 'a/x')], 600)
  t.regex(layout.edges.get('a/x>a/x')?.legs[0] ?? '', /^M/)
})

test('labels of the bookstore cover neither nodes nor each other', (t) => {
  const { nodes, edges } = layoutTopology(BOOKS, CALLS, 1200)
  const labels = [...edges.values()].map(({ label }) => ({
    x: label.x - LABEL_WIDTH / 2,
    y: label.y - LABEL_HEIGHT / 2,
    width: LABEL_WIDTH,
    height: LABEL_HEIGHT,
  }))
  for (const [i, label] of labels.entries()) {
    for (const box of nodes.values()) t.false(overlap(label, box))
    for (const other of labels.slice(i + 1)) t.false(overlap(label, other))
  }
})

const anyGraph = fc
  .array(fc.tuple(fc.nat(11), fc.nat(11), fc.option(fc.nat(3), { nil: undefined })), { maxLength: 40 })
  .map((triples) => {
    const name = (i: number): string => `ns${i % 3}/w${i}`
    const edges = new Map(
      triples.map(([from, to, via]) => {
        const one = edge(name(from), name(to), via === undefined ? undefined : `ns${via % 3}/waypoint${via}`)
        return [one.id, one]
      }),
    )
    const ids = new Set([...edges.values()].flatMap((one) => [one.from, one.to, one.via ?? one.to]))
    return { nodes: Array.from(ids, (id) => node(id)), edges: [...edges.values()] }
  })

test('whatever the graph: nodes and groups never overlap, all is inside, every edge has its way', (t) => {
  fc.assert(
    fc.property(anyGraph, fc.integer({ min: 320, max: 2000 }), ({ nodes, edges }, width) => {
      const layout = layoutTopology(nodes, edges, width)
      const boxes: [string, Box][] = [...layout.nodes]
      for (const [i, [, box]] of boxes.entries()) {
        if (box.x < 0 || box.y < 0 || box.x + box.width > layout.width || box.y + box.height > layout.height)
          return false
        if (box.height !== NODE_HEIGHT || [...layout.gates.values()].some((gate) => overlap(gate, box))) return false
        if (boxes.slice(i + 1).some(([, other]) => overlap(box, other))) return false
      }
      for (const [i, group] of layout.groups.entries()) {
        if (layout.groups.slice(i + 1).some((other) => overlap(group, other))) return false
      }
      for (const [id, box] of boxes) {
        const around = layout.groups.filter((group) => overlap(box, group))
        if (around.length !== 1 || !id.startsWith(`${around[0]?.namespace}/`)) return false
      }
      return edges.every(({ id }) => (layout.edges.get(id)?.legs.length ?? 0) > 0)
    }),
    { numRuns: 300 },
  )
  t.pass()
})

test('500 nodes and 1,000 edges are placed while somebody waits', (t) => {
  const nodes = Array.from({ length: 500 }, (_, i) => node(`ns${i % 20}/w${i}`))
  const edges = Array.from({ length: 1000 }, (_, i) =>
    edge(nodes[(i * 7) % 500]?.id ?? '', nodes[(i * 13 + 5) % 500]?.id ?? ''),
  )
  const unique = [...new Map(edges.map((one) => [one.id, one])).values()]
  const started = performance.now()
  layoutTopology(nodes, unique, 1400)
  const ms = performance.now() - started
  t.log(`${Math.round(ms)} ms`)
  t.true(ms < 5000)
})
