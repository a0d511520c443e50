import type { TopologyEdge } from '../topology.types.ts'
import { endsOf, type Selected } from './select.ts'

/** Edges that a drawing of lines can show to a person; the list shows all. */
export const MAX_DRAWN = 150

/** Of too many edges those that were refused something, then those that are drawn already, then the busiest: nothing comes and goes by its numbers. */
export function chooseDrawn(selected: Selected, before: ReadonlySet<string>, most: number = MAX_DRAWN): Selected {
  if (selected.edges.length <= most) return selected
  const rank = (edge: TopologyEdge): number => (edge.deniedLately > 0 ? 0 : before.has(edge.id) ? 1 : 2)
  const edges = selected.edges
    .toSorted((a, b) => rank(a) - rank(b) || b.perSecond - a.perSecond || (a.id < b.id ? -1 : 1))
    .slice(0, most)
  const wanted = new Set(edges.flatMap(endsOf))
  const servings = selected.servings.filter(({ service }) => wanted.has(service))
  for (const { workload } of servings) wanted.add(workload)
  return { edges, servings, nodes: selected.nodes.filter(({ id }) => wanted.has(id)) }
}
