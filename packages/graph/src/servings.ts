import type { GraphView } from './graph.types.ts'

/** Which workloads of the view answer for which of its services: a picture joins them, so that what comes in can be followed on. */
export function servings({
  nodes,
  edges,
}: GraphView): readonly { readonly service: string; readonly workload: string }[] {
  const ids = new Set(nodes.map(({ id }) => id))
  const found = new Map<string, { readonly service: string; readonly workload: string }>()
  for (const { to, endpoints } of edges) {
    for (const workload of endpoints.map((name) => `workload:${name}`))
      if (ids.has(workload)) found.set(`${to}>${workload}`, { service: to, workload })
  }
  return [...found.values()]
}
