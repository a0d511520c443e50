import type { Chart } from './chart.types.ts'
import { deepCopy, type Value, type ValueMap } from './value.ts'

/**
 * A chart's values: its defaults with the given ones over them. Null takes a default away. `global` is handed down to the
 * charts it depends on, each of which finds its own values under its name.
 */
export function coalesceValues(chart: Chart, given: ValueMap): ValueMap {
  const values = overlay(chart.values, given)
  for (const dependency of chart.dependencies) {
    const own = values.get(dependency.name)
    const below: ValueMap = own instanceof Map ? own : new Map()
    const globals = values.get('global')
    if (globals instanceof Map) {
      const ownGlobals = below.get('global')
      below.set('global', ownGlobals instanceof Map ? overlay(ownGlobals, globals) : deepCopy(globals))
    }
    values.set(dependency.name, coalesceValues(dependency.chart, below))
  }
  return values
}

/** Is a dependency rendered? Its first condition that is set decides, then its tags. */
export function isEnabled(values: ValueMap, conditions: readonly string[], tags: readonly string[]): boolean {
  for (const path of conditions) {
    const value = at(values, path.split('.'))
    if (typeof value === 'boolean') return value
  }
  const known = values.get('tags')
  const set = known instanceof Map ? tags.map((tag) => known.get(tag)).filter((tag) => typeof tag === 'boolean') : []
  return set.length === 0 || set.includes(true)
}

/** A new map: `over` on top of `under`, map by map. */
export function overlay(under: ValueMap, over: ValueMap): ValueMap {
  const merged = new Map([...under].map(([key, value]) => [key, deepCopy(value)] as const))
  for (const [key, value] of over) {
    const own = merged.get(key)
    if (value === null) merged.delete(key)
    else if (own instanceof Map && value instanceof Map) merged.set(key, overlay(own, value))
    else merged.set(key, deepCopy(value))
  }
  return merged
}

function at(values: ValueMap, path: readonly string[]): Value {
  let value: Value = values
  for (const key of path) value = value instanceof Map ? (value.get(key) ?? null) : null
  return value
}
