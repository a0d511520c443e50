import { edgeLabel } from './edge-text.ts'
import type { GraphEdge, GraphNode, GraphView } from './graph.types.ts'
import { servings } from './servings.ts'

const SHAPES: Readonly<Record<GraphNode['kind'], string>> = {
  workload: 'box',
  service: 'ellipse',
  gateway: 'house',
  waypoint: 'hexagon',
  address: 'plaintext',
  outside: 'plaintext',
}

/** The graph in Graphviz's language; namespaces are clusters. */
export function dotText(view: GraphView): string {
  const { nodes, edges } = view
  const lines = ['digraph ambit {', '  rankdir=LR']
  for (const [index, [namespace, members]] of [...byNamespace(nodes)].entries()) {
    const indent = namespace === '' ? '  ' : '    '
    if (namespace !== '') lines.push(`  subgraph cluster_${index} {`, `    label=${quoted(namespace)}`)
    for (const { id, name, kind } of members)
      lines.push(`${indent}${quoted(id)} [label=${quoted(name)} shape=${SHAPES[kind]}]`)
    if (namespace !== '') lines.push('  }')
  }
  for (const edge of edges)
    lines.push(`  ${quoted(edge.from)} -> ${quoted(edge.to)} [label=${quoted(edgeLabel(edge))}${styleOf(edge)}]`)
  for (const { service, workload } of servings(view))
    lines.push(`  ${quoted(service)} -> ${quoted(workload)} [style=dotted arrowhead=none]`)
  return [...lines, '}'].join('\n')
}

function styleOf({ denied, plainText }: GraphEdge): string {
  return `${denied > 0 ? ' color=red' : ''}${plainText ? ' style=dashed' : ''}`
}

export function byNamespace(nodes: readonly GraphNode[]): ReadonlyMap<string, readonly GraphNode[]> {
  return Map.groupBy(nodes, ({ namespace }) => namespace ?? '')
}

/** No name ends its quotes; a backslash is Graphviz's own escape. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[\p{Cc}"\\]/gu, (c) => (c === '"' || c === '\\' ? `\\${c}` : ' '))}"`
}
