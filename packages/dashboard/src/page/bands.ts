import type { LayoutNode } from './layout.types.ts'

/** Of each namespace the band (a row across the page) it stands in. Namespaces share one where their columns don't meet. */
export function assignBands(
  nodes: readonly LayoutNode[],
  layers: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const spans = new Map<string, { first: number; last: number }>()
  for (const { id, namespace = '' } of nodes) {
    const layer = layers.get(id) ?? 0
    const span = spans.get(namespace)
    if (span === undefined) spans.set(namespace, { first: layer, last: layer })
    else {
      span.first = Math.min(span.first, layer)
      span.last = Math.max(span.last, layer)
    }
  }
  const inOrder = [...spans].sort(
    ([a, one], [b, other]) => one.first - other.first || other.last - one.last || (a < b ? -1 : 1),
  )
  const bands: { first: number; last: number }[][] = []
  const result = new Map<string, number>()
  for (const [namespace, span] of inOrder) {
    const isFree = (band: readonly { first: number; last: number }[]): boolean =>
      band.every((other) => span.last < other.first || other.last < span.first)
    const free = bands.findIndex(isFree)
    const at = free < 0 ? bands.length : free
    bands[at] = [...(bands[at] ?? []), span]
    result.set(namespace, at)
  }
  return result
}
