import type { Slot } from './layout.types.ts'

/** Sweeps over the columns, there and back; more change little. */
const SWEEPS = 6

/** Slots of each column within a band, ordered so that few legs cross. The same input gives the same order. */
export function orderSlots(
  slots: readonly Slot[],
  links: readonly (readonly [left: string, right: string])[],
): readonly (readonly Slot[])[] {
  const columns = new Map<string, Slot[]>()
  for (const slot of [...slots].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const key = `${slot.layer}/${slot.band}`
    columns.set(key, [...(columns.get(key) ?? []), slot])
  }
  const lefts = neighbours(links.map(([left, right]) => [right, left]))
  const rights = neighbours(links)
  const rank = new Map<string, number>()
  const rankColumn = (column: readonly Slot[]): void => {
    // A slot's rank is its place in the band, whatever the column's length.
    for (const [i, slot] of column.entries()) rank.set(slot.id, slot.band * 1e6 + (i + 1) / (column.length + 1))
  }
  for (const column of columns.values()) rankColumn(column)
  const keys = [...columns.keys()].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const sides = sweep % 2 === 0 ? lefts : rights
    for (const key of sweep % 2 === 0 ? keys : [...keys].reverse()) {
      const column = columns.get(key) ?? []
      const wish = new Map(
        column.map((slot) => [slot.id, meanRank(sides.get(slot.id), rank) ?? rank.get(slot.id) ?? 0]),
      )
      column.sort((a, b) => (wish.get(a.id) ?? 0) - (wish.get(b.id) ?? 0) || (a.id < b.id ? -1 : 1))
      rankColumn(column)
    }
  }
  return keys.map((key) => columns.get(key) ?? [])
}

function neighbours(links: readonly (readonly [string, string])[]): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, string[]>()
  for (const [from, to] of links) result.set(from, [...(result.get(from) ?? []), to])
  return result
}

function meanRank(ids: readonly string[] | undefined, rank: ReadonlyMap<string, number>): number | undefined {
  if (ids === undefined || ids.length === 0) return undefined
  return ids.reduce((sum, id) => sum + (rank.get(id) ?? 0), 0) / ids.length
}
