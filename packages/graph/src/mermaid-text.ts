import { byNamespace } from './dot-text.ts'
import { edgeLabel } from './edge-text.ts'
import type { GraphNode, GraphView } from './graph.types.ts'
import { servings } from './servings.ts'

/** What a node's name stands between. */
const SHAPES: Readonly<Record<GraphNode['kind'], readonly [string, string]>> = {
  workload: ['[', ']'],
  service: ['([', '])'],
  gateway: ['[/', '\\]'],
  waypoint: ['{{', '}}'],
  address: ['>', ']'],
  outside: ['((', '))'],
}

/** The graph in Mermaid's language, as GitHub renders it; denied edges are red, plain text is dashed. */
export function mermaidText(view: GraphView): string {
  const { nodes, edges } = view
  const names = new Map(nodes.map(({ id }, index) => [id, `n${index}`]))
  const lines = ['flowchart LR']
  for (const [index, [namespace, members]] of [...byNamespace(nodes)].entries()) {
    const indent = namespace === '' ? '  ' : '    '
    if (namespace !== '') lines.push(`  subgraph s${index}[${quoted(namespace)}]`)
    for (const { id, name, kind } of members) {
      const [open, close] = SHAPES[kind]
      lines.push(`${indent}${names.get(id) ?? ''}${open}${quoted(name)}${close}`)
    }
    if (namespace !== '') lines.push('  end')
  }
  for (const edge of edges) {
    const arrow = edge.plainText ? '-.->' : '-->'
    lines.push(`  ${names.get(edge.from) ?? ''} ${arrow}|${quoted(edgeLabel(edge))}| ${names.get(edge.to) ?? ''}`)
  }
  for (const { service, workload } of servings(view))
    lines.push(`  ${names.get(service) ?? ''} -.- ${names.get(workload) ?? ''}`)
  const denied = edges.flatMap((edge, index) => (edge.denied > 0 ? [index] : []))
  if (denied.length > 0) lines.push(`  linkStyle ${denied.join(',')} stroke:red`)
  return lines.join('\n')
}

/** Mermaid knows entities by `#`. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[\p{Cc}"#<>|&]/gu, (c) => `#${c.codePointAt(0)};`)}"`
}
