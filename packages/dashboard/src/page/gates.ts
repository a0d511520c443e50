import type { Box, Gate, LayoutEdge } from './layout.types.ts'

export const GATE_SIZE = 38
/** Between a gate and its node. */
const GATE_GAP = 22
export const GATE_ROOM: number = GATE_SIZE + GATE_GAP

export type Side = 'left' | 'right'

/** Name of the gate an edge passes; an edge that points back comes from the right. */
export function gateId({ via, to }: LayoutEdge, side: Side): string {
  return `gate ${side} ${via} ${to}`
}

/** Gates beside their nodes; where one node has several, one above the other. */
export function placeGates(
  edges: readonly LayoutEdge[],
  nodes: ReadonlyMap<string, Box>,
  sideOf: (edge: LayoutEdge) => Side,
): ReadonlyMap<string, Gate> {
  const wanted = new Map<string, { readonly edge: LayoutEdge; readonly side: Side }>()
  for (const edge of edges) {
    if (edge.via === undefined || edge.from === edge.to || !nodes.has(edge.to)) continue
    const side = sideOf(edge)
    wanted.set(gateId(edge, side), { edge, side })
  }
  const gates = new Map<string, Gate>()
  const atDoor = Map.groupBy(
    [...wanted].sort(([a], [b]) => (a < b ? -1 : 1)),
    ([, { edge, side }]) => `${side} ${edge.to}`,
  )
  for (const own of atDoor.values()) {
    for (const [i, [id, { edge, side }]] of own.entries()) {
      const box = nodes.get(edge.to)
      if (box === undefined || edge.via === undefined) continue
      const height = Math.min(GATE_SIZE, box.height / own.length)
      const x = side === 'left' ? box.x - GATE_ROOM : box.x + box.width + GATE_GAP
      const y = box.y + box.height / 2 + (i - own.length / 2) * height
      gates.set(id, { x, y, width: GATE_SIZE, height, waypoint: edge.via, before: edge.to })
    }
  }
  return gates
}
