import type { GraphEdge, GraphNode, GraphView } from '@ambit/graph'
import { judgeSecurity } from './edge-security.ts'
import { MAX_SHOWN_EDGES } from './limits.ts'
import type { FeedHealth, Serving, Topology, TopologyEdge, TopologyNode } from './topology.types.ts'

/** What is known of an edge's last minutes. */
export type Rates = Pick<TopologyEdge, 'perSecond' | 'bytesPerSecond' | 'deniedLately' | 'failedLately'>

interface Beside {
  readonly health: FeedHealth
  /** Only edges that touch it. */
  readonly namespace?: string | undefined
  readonly ratesOf: (edge: GraphEdge) => Rates
}

/** The graph as the page draws it: waypoints stand between, workloads stand behind their services. */
export function topologyOf(view: GraphView, { health, namespace, ratesOf }: Beside): Topology {
  const known = new Map(view.nodes.map((node) => [node.id, node]))
  const wanted = view.edges.filter((edge) => namespace === undefined || touches(edge, known, namespace))
  const rated = wanted.map((edge) => edgeOf(edge, ratesOf(edge)))
  const edges = rated.length <= MAX_SHOWN_EDGES ? rated : busiest(rated)
  const shown = new Set(edges.map(({ id }) => id))
  const servings = new Map<string, Serving>()
  const nodes = new Map<string, TopologyNode>()
  const addNode = (id: string, kind: 'workload' | 'waypoint'): void => {
    if (!nodes.has(id)) nodes.set(id, nodeOf(id, known.get(id), kind))
  }
  for (const { from, to, via } of edges) {
    for (const id of [from, to]) addNode(id, 'workload')
    if (via !== undefined) addNode(via, 'waypoint')
  }
  for (const edge of wanted) {
    if (!shown.has(edge.id)) continue
    for (const endpoint of edge.endpoints) {
      const workload = `workload:${endpoint}`
      // A workload that is called directly has an edge of its own already.
      if (workload === edge.to || workload === edge.from) continue
      addNode(workload, 'workload')
      servings.set(`${edge.to} ${workload}`, { service: edge.to, workload })
    }
  }
  return {
    at: view.at,
    nodes: [...nodes.values()].sort(byId),
    edges: edges.toSorted(byId),
    servings: [...servings.values()].sort(byName),
    leftOut: rated.length - edges.length,
    health,
  }
}

function edgeOf(edge: GraphEdge, rates: Rates): TopologyEdge {
  const { id, from, to, ports, connections, requests, bytesFromClient, bytesToClient, denied, failed, open } = edge
  const waypoint = edge.waypoints[0]
  return {
    id,
    from,
    to,
    ...(waypoint === undefined ? {} : { via: waypointId(waypoint) }),
    ports,
    security: judgeSecurity(edge),
    counts: { connections, requests, bytesFromClient, bytesToClient, denied, failed },
    countsRequests: requests > 0,
    open,
    lastAt: edge.lastAt,
    ...rates,
  }
}

function nodeOf(id: string, known: GraphNode | undefined, kind: 'workload' | 'waypoint'): TopologyNode {
  if (known !== undefined) {
    const { namespace, name } = known
    return { id, kind: known.kind === 'address' ? 'outside' : known.kind, namespace, name }
  }
  const [namespace = '', name = ''] = id.slice(id.indexOf(':') + 1).split('/')
  return { id, kind, namespace, name }
}

/** As the graph names the workload that it is. */
function waypointId(waypoint: string): string {
  return `workload:${waypoint}`
}

function touches(edge: GraphEdge, known: ReadonlyMap<string, GraphNode>, namespace: string): boolean {
  return [edge.from, edge.to].some((id) => known.get(id)?.namespace === namespace)
}

/** Denials first, then traffic: what somebody looks for is never what is left out. */
function busiest(edges: readonly TopologyEdge[]): readonly TopologyEdge[] {
  return edges
    .toSorted(
      (a, b) =>
        b.deniedLately - a.deniedLately ||
        b.perSecond - a.perSecond ||
        b.bytesPerSecond - a.bytesPerSecond ||
        byId(a, b),
    )
    .slice(0, MAX_SHOWN_EDGES)
}

function byName(a: Serving, b: Serving): number {
  return byId({ id: `${a.service} ${a.workload}` }, { id: `${b.service} ${b.workload}` })
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
