import type { Leg } from './layout.types.ts'

/** Column of each node: everybody stands right of those that call it. Of a circle, one leg points back. */
export function assignLayers(ids: readonly string[], legs: readonly Leg[]): ReadonlyMap<string, number> {
  const forward = withoutCycles(ids, legs)
  const layers = new Map(ids.map((id) => [id, 0]))
  // Longest path: as many rounds as there can be columns.
  for (let moved = true, round = 0; moved && round < ids.length; round++) {
    moved = false
    for (const [from, successors] of forward) {
      const next = (layers.get(from) ?? 0) + 1
      for (const to of successors) {
        if ((layers.get(to) ?? 0) >= next) continue
        layers.set(to, next)
        moved = true
      }
    }
  }
  const called = new Set([...forward.values()].flatMap((successors) => [...successors]))
  for (const [id, successors] of forward) {
    // Nobody calls it: it stands right before whom it calls first.
    if (called.has(id) || successors.size === 0) continue
    layers.set(id, Math.min(...Array.from(successors, (to) => layers.get(to) ?? 0)) - 1)
  }
  return layers
}

/** The legs as successors of each node; those that close a circle are turned round. */
function withoutCycles(ids: readonly string[], legs: readonly Leg[]): ReadonlyMap<string, ReadonlySet<string>> {
  const successors = new Map<string, Set<string>>(ids.map((id) => [id, new Set()]))
  for (const { from, to } of legs) if (from !== to) successors.get(from)?.add(to)
  const called = new Set(legs.map(({ to }) => to))
  const roots = [...ids.filter((id) => !called.has(id)), ...ids]
  const result = new Map<string, Set<string>>(ids.map((id) => [id, new Set()]))
  const state = new Map<string, 'open' | 'done'>()
  for (const root of roots) {
    if (state.has(root)) continue
    // A stack of our own: a chain of calls may be longer than the engine's.
    const stack = [{ id: root, rest: [...(successors.get(root) ?? [])].sort() }]
    state.set(root, 'open')
    while (stack.length > 0) {
      const top = stack.at(-1)
      const next = top?.rest.shift()
      if (top === undefined || next === undefined) {
        if (top !== undefined) state.set(top.id, 'done')
        stack.pop()
        continue
      }
      if (state.get(next) === 'open') {
        result.get(next)?.add(top.id)
        continue
      }
      result.get(top.id)?.add(next)
      if (state.has(next)) continue
      state.set(next, 'open')
      stack.push({ id: next, rest: [...(successors.get(next) ?? [])].sort() })
    }
  }
  return result
}
