import type { Box, Point } from './layout.types.ts'

export const LABEL_WIDTH = 92
export const LABEL_HEIGHT = 26

/** For each edge the first of its places where the label covers neither a node nor another label; else the emptiest. */
export function placeLabels(
  wishes: readonly { readonly edge: string; readonly places: readonly Point[] }[],
  nodes: readonly Box[],
): ReadonlyMap<string, Point> {
  const taken: Box[] = []
  const result = new Map<string, Point>()
  // Who has the least choice chooses first.
  const inOrder = [...wishes].sort((a, b) => a.places.length - b.places.length || (a.edge < b.edge ? -1 : 1))
  for (const { edge, places } of inOrder) {
    let best: { readonly place: Point; readonly covered: number } | undefined
    for (const place of places) {
      const box = boxAround(place)
      const covered = sumCovered(box, nodes) * 4 + sumCovered(box, taken)
      if (best === undefined || covered < best.covered) best = { place, covered }
      if (covered === 0) break
    }
    if (best === undefined) continue
    result.set(edge, best.place)
    taken.push(boxAround(best.place))
  }
  return result
}

function boxAround({ x, y }: Point): Box {
  return { x: x - LABEL_WIDTH / 2, y: y - LABEL_HEIGHT / 2, width: LABEL_WIDTH, height: LABEL_HEIGHT }
}

function sumCovered(box: Box, others: readonly Box[]): number {
  let sum = 0
  for (const other of others) {
    const width = Math.min(box.x + box.width, other.x + other.width) - Math.max(box.x, other.x)
    const height = Math.min(box.y + box.height, other.y + other.height) - Math.max(box.y, other.y)
    if (width > 0 && height > 0) sum += width * height
  }
  return sum
}
