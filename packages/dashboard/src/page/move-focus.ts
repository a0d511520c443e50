import type { Point } from './layout.types.ts'

export type Direction = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown'

const WAYS: Readonly<Record<Direction, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
}

export function isDirection(key: string): key is Direction {
  return key in WAYS
}

/** What an arrow key leads to: the nearest in that direction, where going aside counts double. */
export function nextInDirection(
  from: Point,
  all: Iterable<readonly [string, Point]>,
  key: Direction,
): string | undefined {
  const way = WAYS[key]
  let best: { readonly id: string; readonly cost: number } | undefined
  for (const [id, { x, y }] of all) {
    const [dx, dy] = [x - from.x, y - from.y]
    const ahead = dx * way.x + dy * way.y
    const aside = Math.abs(dx * way.y) + Math.abs(dy * way.x)
    if (ahead < 1 || aside > ahead * 3) continue
    const cost = ahead + 2 * aside
    if (best === undefined || cost < best.cost) best = { id, cost }
  }
  return best?.id
}
