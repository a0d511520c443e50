import { GATE_ROOM, type Side } from './gates.ts'
import type { LayoutEdge } from './layout.types.ts'

/** Between columns: without labels in between, with labels, and with room to spare. */
const GAP = { quiet: 46, labelled: 120, most: 210 } as const

interface Columns {
  readonly edges: readonly LayoutEdge[]
  readonly layers: ReadonlyMap<string, number>
  readonly sideOf: (edge: LayoutEdge) => Side
  readonly nodeWidth: number
  /** What there is for all of them. */
  readonly width: number
}

/** Left end of each column: as far apart as what stands between two of them needs. */
export function placeColumns({ edges, layers, sideOf, nodeWidth, width }: Columns): readonly number[] {
  const count = Math.max(-1, ...layers.values()) + 1
  const labelled = new Set<number>()
  const gatesLeft = new Set<number>()
  const gatesRight = new Set<number>()
  for (const edge of edges) {
    const [from, to] = [layers.get(edge.from), layers.get(edge.to)]
    if (from === undefined || to === undefined || from === to) continue
    const side = sideOf(edge)
    // The label has its place right before where the edge ends.
    if (edge.isQuiet !== true) labelled.add(side === 'left' ? to - 1 : to)
    if (edge.via === undefined) continue
    if (side === 'left') gatesLeft.add(to)
    else gatesRight.add(to)
  }
  const room = (column: number, spare: number): number =>
    (labelled.has(column) ? GAP.labelled + spare : GAP.quiet) +
    (gatesLeft.has(column + 1) ? GATE_ROOM : 0) +
    (gatesRight.has(column) ? GATE_ROOM : 0)
  const gaps = Array.from({ length: Math.max(0, count - 1) }, (_, column) => column)
  const least = count * nodeWidth + gaps.reduce((sum, column) => sum + room(column, 0), 0)
  const spare = Math.max(0, Math.min(GAP.most - GAP.labelled, (width - least) / Math.max(1, labelled.size)))
  // The first column may have gates of its own, of edges that come from nowhere left of it.
  const lefts = [gatesLeft.has(0) ? GATE_ROOM : 0]
  for (const column of gaps) lefts.push((lefts[column] ?? 0) + nodeWidth + room(column, spare))
  return lefts
}
