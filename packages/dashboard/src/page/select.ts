import type { Serving, Topology, TopologyEdge, TopologyNode } from '../topology.types.ts'

export interface Selection {
  /** Empty: all. */
  readonly namespace: string
  readonly text: string
}

export interface Selected {
  readonly nodes: readonly TopologyNode[]
  readonly edges: readonly TopologyEdge[]
  readonly servings: readonly Serving[]
}

/** What fits the filter: edges that touch it, and their nodes. */
export function selectTopology(topology: Topology, { namespace, text }: Selection): Selected {
  const byId = new Map(topology.nodes.map((node) => [node.id, node]))
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const edges = topology.edges.filter((edge) => {
    const ends = endsOf(edge).flatMap((id) => byId.get(id) ?? [])
    if (namespace !== '' && !ends.some((node) => node.namespace === namespace)) return false
    const all = [...ends.map(fullName), edge.security.level, edge.deniedLately > 0 ? 'denied' : '']
      .join(' ')
      .toLowerCase()
    return words.every((word) => all.includes(word))
  })
  const wanted = new Set(edges.flatMap(endsOf))
  const servings = topology.servings.filter(({ service }) => wanted.has(service))
  for (const { workload } of servings) wanted.add(workload)
  return { edges, servings, nodes: topology.nodes.filter((node) => wanted.has(node.id)) }
}

export function fullName(node: TopologyNode | undefined): string {
  if (node === undefined) return 'unknown'
  return node.namespace === undefined ? node.name : `${node.namespace}/${node.name}`
}

/** Client, waypoint, server. */
export function endsOf(edge: TopologyEdge): readonly string[] {
  return edge.via === undefined ? [edge.from, edge.to] : [edge.from, edge.via, edge.to]
}

export function namespacesOf(topology: Topology): readonly string[] {
  return [...new Set(topology.nodes.flatMap((node) => node.namespace ?? []))].sort()
}
