import type { Box, Leg, Point } from './layout.types.ts'

const PORT_SPACING = 11
const PORT_MARGIN = 10

/** A leg's way: points in pairs, from column to column; between the two of a column it runs level. */
export interface Way {
  readonly leg: Leg
  readonly points: readonly Point[]
}

/** Where each leg leaves and enters its nodes, and what it passes on the way. */
export function routeLegs(
  legs: readonly Leg[],
  nodes: ReadonlyMap<string, Box>,
  passes: ReadonlyMap<Leg, readonly Box[]>,
): readonly Way[] {
  const sides = new Map<string, { leg: Leg; towards: number }[]>()
  const join = (id: string, side: 'left' | 'right', leg: Leg, towards: number): void => {
    const key = `${side} ${id}`
    sides.set(key, [...(sides.get(key) ?? []), { leg, towards }])
  }
  const isBack = ({ from, to }: Leg): boolean => (nodes.get(from)?.x ?? 0) > (nodes.get(to)?.x ?? 0)
  const middle = (box: Box | undefined): number => (box === undefined ? 0 : box.y + box.height / 2)
  for (const leg of legs) {
    const between = passes.get(leg) ?? []
    const origin = leg.comesFrom === undefined ? undefined : nodes.get(leg.comesFrom)
    join(leg.from, isBack(leg) ? 'left' : 'right', leg, middle(origin ?? between[0] ?? nodes.get(leg.to)))
    join(leg.to, isBack(leg) ? 'right' : 'left', leg, middle(origin ?? between.at(-1) ?? nodes.get(leg.from)))
  }
  const portOf = (id: string, side: 'left' | 'right', leg: Leg): Point => {
    const box = nodes.get(id) ?? { x: 0, y: 0, width: 0, height: 0 }
    const joined = [...(sides.get(`${side} ${id}`) ?? [])].sort(
      (a, b) => a.towards - b.towards || (a.leg.edge < b.leg.edge ? -1 : 1),
    )
    const at = joined.findIndex((one) => one.leg === leg)
    const room = box.height - 2 * PORT_MARGIN
    const spacing = Math.min(PORT_SPACING, room / Math.max(1, joined.length - 1))
    const y = box.y + box.height / 2 + (at - (joined.length - 1) / 2) * spacing
    return { x: side === 'right' ? box.x + box.width : box.x, y }
  }
  return legs.map((leg) => {
    const back = isBack(leg)
    const between = (passes.get(leg) ?? []).flatMap((box): Point[] => {
      const level = [
        { x: box.x, y: middle(box) },
        { x: box.x + box.width, y: middle(box) },
      ]
      return back ? level.reverse() : level
    })
    const start = portOf(leg.from, back ? 'left' : 'right', leg)
    return { leg, points: [start, ...between, portOf(leg.to, back ? 'right' : 'left', leg)] }
  })
}

/** As SVG: bent between columns, level within. */
export function pathOf({ points }: Way): string {
  const [start, ...rest] = points
  if (start === undefined) return ''
  let path = `M${round(start.x)} ${round(start.y)}`
  let from = start
  for (const [i, to] of rest.entries()) {
    const bend = (to.x - from.x) / 2
    path +=
      i % 2 === 0
        ? `C${round(from.x + bend)} ${round(from.y)} ${round(to.x - bend)} ${round(to.y)} ${round(to.x)} ${round(to.y)}`
        : `L${round(to.x)} ${round(to.y)}`
    from = to
  }
  return path
}

/** Places on the bends of a way: those in the middle first, or somewhat towards one end (-1 the first, 1 the last). */
export function placesOn({ points }: Way, towards: number = 0): readonly Point[] {
  const places: Point[] = []
  for (const aside of [0.1 * towards, 0, 0.1, -0.1, 0.18, -0.18]) {
    for (let i = 0; i + 1 < points.length; i += 2) {
      const [from, to] = [points[i], points[i + 1]]
      if (from !== undefined && to !== undefined) places.push(onBend(from, to, 0.5 + aside))
    }
  }
  return places
}

/** Bézier with level ends, its handles in the middle. */
function onBend(from: Point, to: Point, t: number): Point {
  const bend = (to.x - from.x) / 2
  const u = 1 - t
  return {
    x: u ** 3 * from.x + 3 * u * u * t * (from.x + bend) + 3 * u * t * t * (to.x - bend) + t ** 3 * to.x,
    y: (u ** 3 + 3 * u * u * t) * from.y + (3 * u * t * t + t ** 3) * to.y,
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
