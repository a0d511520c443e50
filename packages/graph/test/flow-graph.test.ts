import type { Flow } from '@ambit/flow'
import test from 'ava'
import fc from 'fast-check'
import { FlowGraph, type GraphEdge, graphOf } from '../src/index.ts'
import { MAX_ADDRESS_NODES, MAX_GRAPH_EDGES } from '../src/limits.ts'
import { AT_MS, arbitraryFlows, connection, denial, flow, gatewayRequest, request } from './support/flows.ts'

function only(flows: readonly Flow[]): GraphEdge {
  const { edges } = graphOf(flows, AT_MS)
  if (edges.length !== 1 || edges[0] === undefined)
    throw new TypeError(`not one edge: ${edges.map(({ id }) => id).join(', ')}`)
  return edges[0]
}

test('a connection that both its proxies tell of is one', (t) => {
  const edge = only(connection({ bytesFromClient: 10, bytesToClient: 20 }))
  t.like(edge, {
    id: 'workload:shop/web>service:shop/db.shop.svc.cluster.local',
    ports: [5432],
    endpoints: ['shop/db'],
    waypoints: [],
    clientIdentities: ['spiffe://cluster.local/ns/shop/sa/web'],
    serverIdentities: ['spiffe://cluster.local/ns/shop/sa/db'],
    transports: ['hbone'],
    tlsVersions: ['TLSv1.3'],
    keyExchanges: ['X25519MLKEM768'],
    plainText: false,
    open: 1,
    connections: 1,
    bytesFromClient: 10,
    bytesToClient: 20,
  })
})

test('where one proxy can’t be asked the other’s word counts', (t) => {
  const [source, destination] = connection({ bytesFromClient: 10 })
  for (const alone of [source, destination]) t.like(only([alone]), { open: 1, connections: 1, bytesFromClient: 10 })
})

test('a server’s proxy that does not know the service means the one its client asked for', (t) => {
  const [source, destination] = connection()
  t.like(only([source, { ...destination, service: undefined }]), {
    connections: 1,
    to: 'service:shop/db.shop.svc.cluster.local',
  })
  const { edges } = graphOf([{ ...destination, service: undefined }], AT_MS)
  t.is(edges[0]?.to, 'workload:shop/db')
})

test('a denial at the server is one denial, and no failure of the client’s', (t) => {
  t.like(only(denial('policy-denied')), { connections: 1, denied: 1, failed: 0, lastDenied: { id: 'd-1' } })
  const [source] = denial('policy-denied')
  t.like(only([source]), { denied: 1, failed: 0 }, 'also where only the client’s proxy can be asked')
})

test('a connection that a change of policy cut is one denial too', (t) => {
  t.like(only(denial('policy-changed')), { connections: 1, denied: 1, failed: 0 })
})

test('what never came about in plain text makes no edge a readable one', (t) => {
  const [source] = connection({ bytesFromClient: 10 })
  const failed: Flow = { ...source, id: 'f-1', state: 'failed', bytesFromClient: 0, transport: { kind: 'plain' } }
  t.like(only([source, failed]), { transports: ['hbone'], plainText: false })
  t.like(only([source, { ...failed, bytesFromClient: 1 }]), { transports: ['hbone', 'plain'], plainText: true })
})

test('a failure that both sides see is one', (t) => {
  const [source, destination] = connection({ state: 'failed' })
  const flows = [
    { ...source, failure: { code: 'http-status', message: 'http status: 503 Service Unavailable' } },
    { ...destination, failure: { code: 'connect-failed', message: 'connection failed: ECONNREFUSED' } },
  ]
  t.like(only(flows), { connections: 1, denied: 0, failed: 1 })
})

test('through a waypoint: connections by the client’s proxy, requests by the waypoint, and no second leg', (t) => {
  const { edges, nodes } = graphOf([...request('r-1'), ...request('r-2', { state: 'denied' })], AT_MS)
  t.is(edges.length, 1)
  t.like(edges[0], {
    id: 'workload:shop/web>service:shop/db.shop.svc.cluster.local',
    waypoints: ['shop/waypoint'],
    connections: 2,
    requests: 2,
    denied: 1,
    failed: 0,
    serverIdentities: ['spiffe://cluster.local/ns/shop/sa/db'],
    lastDenied: { id: 'r-2' },
  })
  t.deepEqual(
    nodes.map(({ id }) => id),
    ['service:shop/db.shop.svc.cluster.local', 'workload:shop/web'],
  )
})

test('what the endpoint refuses the waypoint is an edge of the waypoint', (t) => {
  const [source, waypoint, destination] = request('r-1', { state: 'failed' })
  const { edges, nodes } = graphOf([source, waypoint, { ...destination, state: 'denied' }], AT_MS)
  t.deepEqual(
    edges.map(({ from, denied, failed }) => ({ from, denied, failed })),
    [
      { from: 'workload:shop/waypoint', denied: 1, failed: 0 },
      { from: 'workload:shop/web', denied: 0, failed: 1 },
    ],
  )
  t.is(nodes.find(({ id }) => id === 'workload:shop/waypoint')?.kind, 'waypoint')
})

test('a waypoint that can’t be asked is known by its clients', (t) => {
  const [source, , destination] = request('r-1')
  t.like(only([source, destination]), { waypoints: ['shop/waypoint'], connections: 1, requests: 0 })
})

test('a gateway is a server of the outside and a client of services', (t) => {
  const { edges, nodes } = graphOf([...gatewayRequest('g-1'), ...gatewayRequest('g-2', { state: 'denied' })], AT_MS)
  t.like(edges[0], {
    id: 'outside>workload:edge/gateway',
    requests: 2,
    denied: 1,
    plainText: true,
    serverIdentities: [],
    endpoints: [],
    ports: [],
  })
  t.like(edges[1], {
    id: 'workload:edge/gateway>service:shop/db.shop.svc.cluster.local',
    requests: 1,
    connections: 1,
    denied: 0,
    plainText: false,
    endpoints: ['shop/db'],
    serverIdentities: ['spiffe://cluster.local/ns/shop/sa/db'],
  })
  t.is(edges.length, 2)
  t.deepEqual(
    nodes.map(({ id, kind }) => `${id} ${kind}`),
    ['outside outside', 'service:shop/db.shop.svc.cluster.local service', 'workload:edge/gateway gateway'],
  )
})

test('who has no workload is known by identity, else by address', (t) => {
  const unknown = flow({ client: { address: '10.9.9.9:1' }, transport: { kind: 'plain' } })
  t.like(only([unknown]), { from: 'address:10.9.9.9', plainText: true })
  const identity = 'spiffe://cluster.local/ns/a/sa/b'
  t.is(only([flow({ client: { address: '10.9.9.9:1', identity } })]).from, 'account:a/b')
  t.is(only([flow({ server: { address: 'web.example:80' }, service: undefined })]).to, 'address:web.example:80')
})

test('addresses beyond the limit are one node, and nothing of them is lost', (t) => {
  const flows = Array.from({ length: MAX_ADDRESS_NODES + 10 }, (_, i) =>
    flow({ id: `x-${i}`, client: { address: `10.1.${i >> 8}.${i & 255}:1` } }),
  )
  const { nodes, edges } = graphOf(flows, AT_MS)
  t.is(nodes.filter(({ kind }) => kind === 'address').length, MAX_ADDRESS_NODES)
  t.is(edges.find(({ from }) => from === 'outside')?.connections, 10)
})

test('a flow told of again replaces what it said, and counts once', (t) => {
  const graph = new FlowGraph()
  graph.add(flow({ bytesFromClient: 1 }))
  graph.add(flow({ bytesFromClient: 5, at: '2026-11-21T18:00:01.000Z' }))
  t.like(graph.view(AT_MS).edges[0], { open: 1, connections: 1, bytesFromClient: 5 })
  graph.add(flow({ bytesFromClient: 3 }))
  t.like(graph.view(AT_MS).edges[0], { bytesFromClient: 5 }, 'what is older says nothing')
  const end = flow({ state: 'closed', bytesFromClient: 9, at: '2026-11-21T18:00:02.000Z' })
  graph.add(end)
  graph.add(end)
  graph.add(flow({ bytesFromClient: 5 }))
  t.like(graph.view(AT_MS).edges[0], { open: 0, connections: 1, bytesFromClient: 9 })
})

test('what a proxy that was lost told of as open is forgotten until it tells it again', (t) => {
  const graph = new FlowGraph()
  graph.add(flow({ id: 'a' }))
  graph.add(flow({ id: 'b', reporter: { kind: 'ztunnel', pod: 'istio-system/other' } }))
  graph.forget('istio-system/ztunnel-1')
  t.like(graph.view(AT_MS).edges[0], { open: 1, connections: 1 })
  graph.add(flow({ id: 'a' }))
  t.like(graph.view(AT_MS).edges[0], { open: 2, connections: 2 })
})

test('of more edges than a graph holds the one told of longest ago goes', (t) => {
  const graph = new FlowGraph()
  const at = (i: number): string => new Date(AT_MS + i).toISOString()
  for (let i = 0; i <= MAX_GRAPH_EDGES; i++) {
    const client = { address: '10.0.0.1:1', namespace: 'n', workload: `w${i}` }
    graph.add(flow({ id: `f-${i}`, state: 'closed', client, at: at(i) }))
  }
  const { edges } = graph.view(AT_MS)
  t.is(edges.length, MAX_GRAPH_EDGES)
  t.false(edges.some(({ from }) => from === 'workload:n/w0'))
})

test('property: the order in which flows are told makes no difference', (t) => {
  fc.assert(
    fc.property(
      arbitraryFlows.chain((flows) =>
        fc.tuple(fc.constant(flows), fc.shuffledSubarray([...flows], { minLength: flows.length })),
      ),
      ([flows, shuffled]) => {
        t.deepEqual(graphOf(shuffled, AT_MS), graphOf(flows, AT_MS))
      },
    ),
  )
})

test('property: telling all of it twice, or its beginnings before it, makes no difference', (t) => {
  fc.assert(
    fc.property(arbitraryFlows, (flows) => {
      const beginnings = flows.map((each): Flow => ({ ...each, state: 'open', at: each.startedAt, bytesFromClient: 0 }))
      t.deepEqual(graphOf([...beginnings, ...flows, ...flows], AT_MS), graphOf(flows, AT_MS))
    }),
  )
})

test('property: edges join nodes that are there, ids are unique, and no number is negative', (t) => {
  fc.assert(
    fc.property(arbitraryFlows, (flows) => {
      const { nodes, edges } = graphOf(flows, AT_MS)
      const ids = new Set(nodes.map(({ id }) => id))
      t.is(ids.size, nodes.length)
      t.is(new Set(edges.map(({ id }) => id)).size, edges.length)
      for (const edge of edges) {
        t.true(ids.has(edge.from) && ids.has(edge.to))
        const { open, connections, requests, denied, failed, bytesFromClient, bytesToClient } = edge
        for (const count of [connections, requests, denied, failed, bytesFromClient, bytesToClient]) t.true(count >= 0)
        t.true(open <= connections)
      }
    }),
  )
})

test('property: the server’s proxies add no connection and no byte to what all clients’ proxies told', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }), (bytes) => {
      const pairs = bytes.map((bytesFromClient, i) => connection({ bytesFromClient }, `c${i}`))
      const sources = graphOf(
        pairs.map(([source]) => source),
        AT_MS,
      ).edges[0]
      const both = graphOf(pairs.flat(), AT_MS).edges[0]
      t.is(both?.connections, sources?.connections)
      t.is(both?.bytesFromClient, sources?.bytesFromClient)
    }),
  )
})
