import type { Flow } from '@ambit/flow'
import type { GraphEdge, GraphNode, GraphView } from '@ambit/graph'

const AT = '2026-01-01T00:00:10.000Z'

/** A flow of the bookstore; what a test is about is given, the rest is as usual. */
export function flow(from: string, to: string, change: Partial<Flow> = {}): Flow {
  return {
    id: `${from} ${to}`,
    state: 'closed',
    startedAt: AT,
    at: AT,
    reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-a', node: 'node-a' },
    side: 'source',
    protocol: 'tcp',
    client: {
      address: '10.0.1.4:40112',
      identity: `spiffe://cluster.local/ns/books/sa/${from}`,
      namespace: 'books',
      workload: from,
      pod: `books/${from}-7d9`,
    },
    server: { address: '10.0.1.9:9080', namespace: 'books', workload: `${to}-v1`, pod: `books/${to}-v1-5c4` },
    service: { namespace: 'books', hostname: `${to}.books.svc.cluster.local`, port: 9080 },
    transport: { kind: 'hbone', version: 'TLSv1.3', keyExchange: 'X25519MLKEM768' },
    bytesFromClient: 300,
    bytesToClient: 2000,
    ...change,
  }
}

export function workload(name: string, namespace = 'books'): GraphNode {
  return { id: `workload:${namespace}/${name}`, kind: 'workload', namespace, name, identities: [] }
}

export function service(name: string, namespace = 'books'): GraphNode {
  const id = `service:${namespace}/${name}.${namespace}.svc.cluster.local`
  return { id, kind: 'service', namespace, name, identities: [] }
}

/** An edge with 40 connections by mutual TLS; what a test is about is given. */
export function edge(from: GraphNode, to: GraphNode, change: Partial<GraphEdge> = {}): GraphEdge {
  return {
    id: `${from.id}>${to.id}`,
    from: from.id,
    to: to.id,
    ports: [9080],
    endpoints: [],
    waypoints: [],
    clientIdentities: [`spiffe://cluster.local/ns/${from.namespace}/sa/${from.name}`],
    serverIdentities: [`spiffe://cluster.local/ns/${to.namespace}/sa/${to.name}`],
    transports: ['hbone'],
    tlsVersions: ['TLSv1.3'],
    keyExchanges: ['X25519MLKEM768'],
    plainText: false,
    open: 1,
    connections: 40,
    requests: 0,
    denied: 0,
    failed: 0,
    bytesFromClient: 12_000,
    bytesToClient: 81_000,
    firstAt: AT,
    lastAt: AT,
    last: flow(from.name, to.name),
    ...change,
  }
}

export function view(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): GraphView {
  return { at: AT, nodes, edges }
}
