import type { Condition } from '../diff.types.ts'
import type { DiagramPath } from '../semantic/diagram.ts'
import type { Dimension } from '../semantic/dimension.ts'
import type { ValueClass } from '../semantic/policy-forms.ts'

/** The way to a leaf in words: what is named, or everything but what is named. */
export function conditionsOf(
  path: DiagramPath<unknown>['conditions'],
  classes: ReadonlyMap<Dimension, readonly ValueClass[]>,
): readonly Condition[] {
  return path.map(({ dimension, classes: chosen }) => {
    const all = classes.get(dimension) ?? []
    const labels = (indexes: readonly number[]): readonly string[] => [
      ...new Set(indexes.flatMap((i) => all[i]?.labels ?? [])),
    ]
    const isOpen = chosen.some((i) => all[i]?.kind === 'other')
    const excluded = all.flatMap((_, i) => (chosen.includes(i) ? [] : [i]))
    return { field: dimension, is: isOpen ? [] : labels(chosen), isNot: isOpen ? labels(excluded) : [] }
  })
}
