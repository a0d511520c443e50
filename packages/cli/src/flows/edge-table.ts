import { bytesText, type GraphEdge, type GraphNode, type GraphView } from '@ambit/graph'
import { humanAge } from '../proxy-status/human-age.ts'

const HEAD = [
  'CLIENT',
  'SERVER',
  'PORT',
  'WAYPOINT',
  'OPEN',
  'CONNS',
  'REQUESTS',
  'DENIED',
  'FAILED',
  'SENT',
  'RECEIVED',
  'TLS',
  'KEY EXCHANGE',
  'AGE',
  'CLIENT IDENTITY',
  'SERVER IDENTITY',
]

/** A row for each edge, under a head. SENT and RECEIVED are the client's. */
export function edgeTable({ nodes, edges }: GraphView, nowMs: number): readonly (readonly string[])[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const name = (id: string): string => nodeName(byId.get(id), id)
  return [HEAD, ...edges.map((edge) => rowOf(edge, name, nowMs))]
}

/** `shop/web`; a service is known by its port, a gateway and a waypoint by what they are. */
export function nodeName(node: GraphNode | undefined, id: string): string {
  if (node === undefined) return id
  const { kind, namespace, name } = node
  const qualified = namespace === undefined ? name : `${namespace}/${name}`
  switch (kind) {
    case 'service':
      return `svc ${qualified}`
    case 'gateway':
    case 'waypoint':
      return `${kind} ${qualified}`
    case 'workload':
    case 'address':
    case 'outside':
      return qualified
  }
}

function rowOf(edge: GraphEdge, name: (id: string) => string, nowMs: number): readonly string[] {
  return [
    name(edge.from),
    name(edge.to),
    list(edge.ports.map(String)),
    list(edge.waypoints),
    String(edge.open),
    String(edge.connections),
    String(edge.requests),
    String(edge.denied),
    String(edge.failed),
    bytesText(edge.bytesFromClient),
    bytesText(edge.bytesToClient),
    list([...edge.tlsVersions, ...(edge.plainText ? ['plain text'] : [])]),
    list(edge.keyExchanges),
    humanAge(nowMs - Date.parse(edge.firstAt)),
    list(edge.clientIdentities.map(principal)),
    list(edge.serverIdentities.map(principal)),
  ]
}

/** As policies write it. */
export function principal(identity: string): string {
  return identity.replace(/^spiffe:\/\//, '')
}

function list(values: readonly string[]): string {
  return values.length === 0 ? '-' : values.join(',')
}
