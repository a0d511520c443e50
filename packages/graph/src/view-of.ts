import type { EdgeTally } from './edge-tally.ts'
import type { GraphEdge, GraphNode, GraphView } from './graph.types.ts'
import type { NodeRef } from './legs.ts'
import { MAX_ADDRESS_NODES } from './limits.ts'
import { sumEdge } from './sum-edge.ts'

/** What was told of a pair of nodes. */
export interface PlacedTally {
  readonly from: NodeRef
  readonly to: NodeRef
  readonly tally: EdgeTally
}

export interface ViewOptions {
  readonly atMs: number
  /** `namespace/name`. */
  readonly waypoints: ReadonlySet<string>
  readonly gateways: ReadonlySet<string>
}

/** Puts together what is one edge, leaves out what others count already, and says what each node is. */
export function viewOf(placed: Iterable<PlacedTally>, options: ViewOptions): GraphView {
  const all = [...placed].toSorted((a, b) => compare(keyOf(a), keyOf(b)))
  const merged = merge(all, [servicesOf(all), outsiders(all)])
  const shown = merged.filter((edge) => !isSecondLeg(edge, options))
  return {
    at: new Date(options.atMs).toISOString(),
    nodes: nodesOf(shown, options),
    edges: shown.map(edgeOf).toSorted((a, b) => compare(a.id, b.id)),
  }
}

type Move = (edge: PlacedTally) => { readonly from: NodeRef; readonly to: NodeRef }

/**
 * The server's proxy does not always know by which service its pod was meant. Where the same client is known to talk to one service of which
 * this workload is an endpoint, it was that one.
 */
function servicesOf(edges: readonly PlacedTally[]): Move {
  const services = new Map<string, NodeRef>()
  for (const { from, to, tally } of edges) {
    if (to.kind !== 'service') continue
    for (const endpoint of tally.values.endpoints) {
      const key = `${from.id}>workload:${endpoint}`
      if (!services.has(key)) services.set(key, to)
    }
  }
  return (edge) => {
    const { from, to, tally } = edge
    const { source, destination } = tally.counts
    const isOfServer = source.connections === 0 && destination.connections > 0
    return { from, to: (isOfServer && services.get(keyOf(edge))) || to }
  }
}

/** Addresses beyond a number of them are one node: the first by name stay. */
function outsiders(edges: readonly PlacedTally[]): Move {
  const addresses = new Set<string>()
  for (const { from, to } of edges) for (const end of [from, to]) if (end.kind === 'address') addresses.add(end.id)
  const kept = new Set([...addresses].toSorted(compare).slice(0, MAX_ADDRESS_NODES))
  const moved = (end: NodeRef): NodeRef => (end.kind === 'address' && !kept.has(end.id) ? OUTSIDE : end)
  return ({ from, to }) => ({ from: moved(from), to: moved(to) })
}

const OUTSIDE: NodeRef = { id: 'outside', kind: 'outside', name: 'outside' }

function merge(edges: readonly PlacedTally[], moves: readonly Move[]): readonly PlacedTally[] {
  const merged = new Map<string, PlacedTally>()
  for (const edge of edges) {
    const moved = moves.reduce<PlacedTally>((at, move) => ({ ...at, ...move(at) }), edge)
    const key = keyOf(moved)
    const known = merged.get(key)
    if (known === undefined) merged.set(key, moved)
    else known.tally.merge(moved.tally)
  }
  return [...merged.values()]
}

/**
 * From a waypoint to the endpoint that it chose: the client's proxy and the waypoint have told of it already. Only what the endpoint's proxy
 * refused the waypoint is an edge of its own: no one else knows why.
 */
function isSecondLeg({ from, tally }: PlacedTally, { waypoints }: ViewOptions): boolean {
  return from.kind === 'workload' && waypoints.has(nameOf(from)) && tally.counts.destination.denied === 0
}

function edgeOf(edge: PlacedTally): GraphEdge {
  const { from, to, tally } = edge
  const { values, last, lastDenied, lastFailed } = tally
  return {
    id: keyOf(edge),
    from: from.id,
    to: to.id,
    ports: [...values.ports].toSorted((a, b) => a - b),
    endpoints: sorted(values.endpoints),
    waypoints: sorted(values.waypoints),
    clientIdentities: sorted(values.clientIdentities),
    serverIdentities: sorted(values.serverIdentities),
    transports: sorted(values.transports),
    tlsVersions: sorted(values.tlsVersions),
    keyExchanges: sorted(values.keyExchanges),
    plainText: values.transports.has('plain'),
    ...sumEdge(tally),
    firstAt: tally.firstAt,
    lastAt: last.at,
    last,
    lastDenied,
    lastFailed,
  }
}

function nodesOf(edges: readonly PlacedTally[], { waypoints, gateways }: ViewOptions): readonly GraphNode[] {
  const identities = new Map<string, Set<string>>()
  const nodes = new Map<string, NodeRef>()
  const note = (node: NodeRef, proved: Iterable<string>): void => {
    nodes.set(node.id, node)
    const known = identities.get(node.id) ?? new Set()
    identities.set(node.id, known)
    for (const identity of proved) known.add(identity)
  }
  for (const { from, to, tally } of edges) {
    note(from, tally.values.clientIdentities)
    note(to, tally.values.serverIdentities)
  }
  return [...nodes.values()]
    .map((node) => ({
      id: node.id,
      kind: kindOf(node, waypoints, gateways),
      namespace: node.namespace,
      name: node.name,
      identities: sorted(identities.get(node.id) ?? []),
    }))
    .toSorted((a, b) => compare(a.id, b.id))
}

function kindOf(node: NodeRef, waypoints: ReadonlySet<string>, gateways: ReadonlySet<string>): GraphNode['kind'] {
  if (node.kind !== 'workload') return node.kind
  if (waypoints.has(nameOf(node))) return 'waypoint'
  return gateways.has(nameOf(node)) ? 'gateway' : 'workload'
}

function nameOf({ namespace = '', name }: NodeRef): string {
  return `${namespace}/${name}`
}

function keyOf({ from, to }: Pick<PlacedTally, 'from' | 'to'>): string {
  return `${from.id}>${to.id}`
}

function sorted<T extends string>(values: Iterable<T>): readonly T[] {
  return [...values].toSorted(compare)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
