import { assignBands } from './bands.ts'
import { placeColumns } from './columns.ts'
import { gateId, placeGates, type Side } from './gates.ts'
import { assignLayers } from './layers.ts'
import type { Box, EdgePath, Gate, Group, Layout, LayoutEdge, LayoutNode, Leg, Point, Slot } from './layout.types.ts'
import { orderSlots } from './order-slots.ts'
import { LABEL_HEIGHT, placeLabels } from './place-labels.ts'
import { pathOf, placesOn, routeLegs, type Way } from './route-legs.ts'

export const NODE_WIDTH = 166
export const NODE_HEIGHT = 52
const ROW_GAP = 34
const PASS_HEIGHT = 14
const GROUP = { side: 16, title: 34, bottom: 18, gap: 24 } as const
const MARGIN = 16
/** Columns apart from which nodes of a namespace no longer share a frame. */
const FAR = 2
const NOWHERE: Box = { x: 0, y: 0, width: 0, height: 0 }

/** Places everything. A pure function of what there is and how wide the window is: numbers that change move nothing. */
export function layoutTopology(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], width: number): Layout {
  const inOrder = [...edges].sort((a, b) => (a.id < b.id ? -1 : 1))
  const known = standing(nodes, inOrder)
  const ids = [...known.keys()]
  const hops = inOrder
    .map(({ id, from, to }) => ({ edge: id, from, to }))
    .filter(({ from, to }) => from !== to && known.has(from) && known.has(to))
  const layers = assignLayers(ids, hops)
  const bands = assignBands([...known.values()], layers)
  const sideOf = ({ from, to }: LayoutEdge): Side =>
    (layers.get(from) ?? 0) <= (layers.get(to) ?? 0) ? 'left' : 'right'
  const { slots, links, passIds } = slotsOf(known, hops, layers, bands)
  const inner = width - 2 * (MARGIN + GROUP.side)
  const lefts = placeColumns({ edges: inOrder, layers, sideOf, nodeWidth: NODE_WIDTH, width: inner })
  const boxes = placeSlots(orderSlots(slots, links), links, lefts)
  const nodeBoxes = new Map(ids.map((id) => [id, boxes.get(id) ?? NOWHERE]))
  const gates = placeGates(inOrder, nodeBoxes, sideOf)
  const byId = new Map(inOrder.map((edge) => [edge.id, edge]))
  const passes = new Map<Leg, readonly Box[]>()
  const legs = hops.flatMap((hop, i) => {
    const edge = byId.get(hop.edge)
    const gate = edge?.via === undefined ? undefined : gateId(edge, sideOf(edge))
    const first = gate === undefined ? hop : { ...hop, to: gate }
    passes.set(
      first,
      (passIds[i] ?? []).flatMap((id) => boxes.get(id) ?? []),
    )
    return gate === undefined ? [first] : [first, { ...hop, from: gate, comesFrom: hop.from }]
  })
  const ways = routeLegs(legs, new Map<string, Box>([...nodeBoxes, ...gates]), passes)
  const groups = groupBoxes(known, layers, nodeBoxes, gates)
  const all = [...nodeBoxes.values(), ...gates.values(), ...groups]
  return {
    width: Math.max(0, ...all.map((box) => box.x + box.width)) + MARGIN,
    height: Math.max(0, ...all.map((box) => box.y + box.height)) + MARGIN,
    groups,
    nodes: nodeBoxes,
    gates,
    edges: edgePaths(inOrder, ways, nodeBoxes, gates),
  }
}

/** Nodes that stand for themselves: not those that are only passed on the way. */
function standing(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[]): ReadonlyMap<string, LayoutNode> {
  const ends = new Set(edges.flatMap(({ from, to }) => [from, to]))
  const passed = new Set(edges.flatMap(({ via }) => via ?? []))
  const own = nodes.filter(({ id }) => ends.has(id) || !passed.has(id))
  return new Map(own.sort((a, b) => (a.id < b.id ? -1 : 1)).map((node) => [node.id, node]))
}

interface Slots {
  readonly slots: readonly Slot[]
  readonly links: readonly (readonly [string, string])[]
  /** Of each hop the slots it passes, in its own direction. */
  readonly passIds: readonly (readonly string[])[]
}

function slotsOf(
  nodes: ReadonlyMap<string, LayoutNode>,
  hops: readonly Leg[],
  layers: ReadonlyMap<string, number>,
  bands: ReadonlyMap<string, number>,
): Slots {
  const bandOf = (id: string): number => bands.get(nodes.get(id)?.namespace ?? '') ?? 0
  const slots: Slot[] = [...nodes.keys()].map((id) => ({
    id,
    layer: layers.get(id) ?? 0,
    band: bandOf(id),
    height: NODE_HEIGHT + ROW_GAP,
  }))
  const links: (readonly [string, string])[] = []
  const passIds = hops.map((hop) => {
    const [a, b] = [layers.get(hop.from) ?? 0, layers.get(hop.to) ?? 0]
    const [left, right] = a < b ? [hop.from, hop.to] : [hop.to, hop.from]
    const own: string[] = []
    for (let layer = Math.min(a, b) + 1; layer < Math.max(a, b); layer++) {
      const id = `pass ${hop.edge} ${layer}`
      slots.push({ id, layer, band: bandOf(hop.to), height: PASS_HEIGHT })
      own.push(id)
    }
    const chain = [left, ...own, right]
    for (let i = 1; i < chain.length; i++) links.push([chain[i - 1] ?? '', chain[i] ?? ''])
    return a < b ? own : own.toReversed()
  })
  return { slots, links, passIds }
}

function placeSlots(
  columns: readonly (readonly Slot[])[],
  links: readonly (readonly [string, string])[],
  lefts: readonly number[],
): ReadonlyMap<string, Box> {
  const heightOf = (column: readonly Slot[]): number => {
    const last = column.at(-1)
    return column.reduce((sum, slot) => sum + slot.height, 0) - (last === undefined ? 0 : gapBelow(last))
  }
  const bandHeights = new Map<number, number>()
  for (const column of columns) {
    const band = column[0]?.band ?? 0
    bandHeights.set(band, Math.max(bandHeights.get(band) ?? 0, heightOf(column)))
  }
  const bandTops = new Map<number, number>()
  let top = MARGIN
  for (const band of [...bandHeights.keys()].sort((a, b) => a - b)) {
    bandTops.set(band, top + GROUP.title)
    top += GROUP.title + (bandHeights.get(band) ?? 0) + GROUP.bottom + GROUP.gap
  }
  const before = new Map<string, string[]>()
  for (const [left, right] of links) before.set(right, [...(before.get(right) ?? []), left])
  const boxes = new Map<string, Box>()
  for (const column of columns) {
    const band = column[0]?.band ?? 0
    const spare = (bandHeights.get(band) ?? 0) - heightOf(column)
    const offsets: number[] = []
    let y = bandTops.get(band) ?? 0
    // The column as a whole moves to where its neighbours on the left are.
    for (const slot of column) {
      for (const left of before.get(slot.id) ?? []) {
        const box = boxes.get(left)
        if (box !== undefined) offsets.push(box.y + box.height / 2 - (y + (slot.height - gapBelow(slot)) / 2))
      }
      y += slot.height
    }
    const wished = offsets.length === 0 ? spare / 2 : offsets.reduce((sum, one) => sum + one, 0) / offsets.length
    y = (bandTops.get(band) ?? 0) + Math.max(0, Math.min(spare, wished))
    for (const slot of column) {
      const x = MARGIN + GROUP.side + (lefts[slot.layer] ?? 0)
      boxes.set(slot.id, { x, y, width: NODE_WIDTH, height: slot.height - gapBelow(slot) })
      y += slot.height
    }
  }
  return boxes
}

function gapBelow(slot: Slot): number {
  return slot.height === PASS_HEIGHT ? 0 : ROW_GAP
}

/** A frame around what stands together of a namespace; what stands far away has a frame of its own. */
function groupBoxes(
  nodes: ReadonlyMap<string, LayoutNode>,
  layers: ReadonlyMap<string, number>,
  nodeBoxes: ReadonlyMap<string, Box>,
  gates: ReadonlyMap<string, Gate>,
): readonly Group[] {
  const gatesOf = Map.groupBy(gates.values(), ({ before }) => before)
  const inOrder = [...nodes.values()].sort((a, b) => (layers.get(a.id) ?? 0) - (layers.get(b.id) ?? 0))
  const members = new Map<string, { readonly id: string; last: number; readonly boxes: Box[] }[]>()
  for (const { id, namespace } of inOrder) {
    if (namespace === undefined) continue
    const layer = layers.get(id) ?? 0
    const own = members.get(namespace) ?? []
    members.set(namespace, own)
    let group = own.at(-1)
    if (group === undefined || layer - group.last > FAR) {
      group = { id: `${namespace} ${own.length}`, last: layer, boxes: [] }
      own.push(group)
    }
    group.last = layer
    group.boxes.push(nodeBoxes.get(id) ?? NOWHERE, ...(gatesOf.get(id) ?? []))
  }
  return [...members].flatMap(([namespace, own]) =>
    own.map(({ id, boxes }) => {
      const x = Math.min(...boxes.map((box) => box.x)) - GROUP.side
      const y = Math.min(...boxes.map((box) => box.y)) - GROUP.title
      const right = Math.max(...boxes.map((box) => box.x + box.width)) + GROUP.side
      const bottom = Math.max(...boxes.map((box) => box.y + box.height)) + GROUP.bottom
      return { id, namespace, x, y, width: right - x, height: bottom - y }
    }),
  )
}

function edgePaths(
  edges: readonly LayoutEdge[],
  ways: readonly Way[],
  nodes: ReadonlyMap<string, Box>,
  gates: ReadonlyMap<string, Box>,
): ReadonlyMap<string, EdgePath> {
  const ofEdge = Map.groupBy(ways, (way) => way.leg.edge)
  const leaving = Map.groupBy(edges, ({ from }) => from)
  const arriving = Map.groupBy(edges, ({ to }) => to)
  const wishes = edges
    .filter(({ isQuiet }) => isQuiet !== true)
    .map(({ id, from, to }) => {
      const [first] = ofEdge.get(id) ?? []
      const box = nodes.get(from) ?? NOWHERE
      // Where many edges begin in one node, labels stand near their other ends, and the other way round.
      const crowd = (leaving.get(from)?.length ?? 0) - (arriving.get(to)?.length ?? 0)
      const places: readonly Point[] = first === undefined ? [loopLabel(box)] : placesOn(first, Math.sign(crowd))
      return { edge: id, places }
    })
  const labels = placeLabels(wishes, [...nodes.values(), ...gates.values()])
  return new Map(
    edges.flatMap((edge): [string, EdgePath][] => {
      const box = nodes.get(edge.from)
      if (box === undefined || !nodes.has(edge.to)) return []
      const legs = (ofEdge.get(edge.id) ?? []).map(pathOf)
      const label = labels.get(edge.id) ?? loopLabel(box)
      return [[edge.id, { legs: legs.length === 0 ? [loop(box)] : legs, label }]]
    }),
  )
}

/** Somebody who talks to others of its own kind. */
function loop({ x, y, width }: Box): string {
  const [left, right] = [x + width * 0.45, x + width * 0.85]
  return `M${left} ${y}C${left} ${y - 26} ${right} ${y - 26} ${right} ${y}`
}

function loopLabel({ x, y, width }: Box): Point {
  return { x: x + width * 0.65, y: y - LABEL_HEIGHT / 2 - 4 }
}
