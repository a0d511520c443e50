import { isOfConnection } from './dimension.ts'
import type { Atom, PolicyForm, RuleForm } from './policy-forms.ts'

/** What a test says where it is known already; undefined: nothing yet. */
export type Known = (atom: Atom) => boolean | undefined

export interface Residual {
  /** Sides with the same key decide alike, whatever else is found out. */
  readonly key: string
  /** Tests that still matter. */
  readonly live: ReadonlySet<Atom>
}

/** What is left of the policies when some values are known: rules that can not match any more are gone, and tests that hold. */
export function residualOf(policies: readonly PolicyForm[], known: Known, atGateway: boolean): Residual {
  const live = new Set<Atom>()
  const lines = new Set<string>()
  for (const { action, binding, opaque, rules } of policies) {
    const place = `${action} ${binding}`
    // That there is an ALLOW at all changes what happens to those whom none matches.
    if (action === 'Allow') lines.add(place)
    for (const rule of rules) {
      const left = leftOf(rule, opaque ? () => undefined : known)
      if (left === undefined) continue
      for (const atom of left.atoms) if (!opaque || isOpen(atom, known, atGateway)) live.add(atom)
      lines.add(`${place} ${left.key}`)
    }
  }
  return { key: [...lines].toSorted().join('\n'), live }
}

function isOpen(atom: Atom, known: Known, atGateway: boolean): boolean {
  if (known(atom) !== undefined || atom.dimension === undefined) return false
  return atGateway || isOfConnection(atom.dimension)
}

interface Left {
  readonly key: string
  readonly atoms: readonly Atom[]
}

/** Undefined: the rule can not match. */
function leftOf({ from, to, when }: RuleForm, known: Known): Left | undefined {
  const conditions = entryOf(when, known)
  const sources = anyOf(from, known)
  const operations = anyOf(to, known)
  if (conditions === undefined || sources === undefined || operations === undefined) return undefined
  const written = (entries: readonly (readonly Atom[])[]): string =>
    [
      ...new Set(
        entries.map((entry) =>
          entry
            .map(({ id }) => id)
            .toSorted((a, b) => a - b)
            .join('&'),
        ),
      ),
    ]
      .toSorted()
      .join('|')
  return {
    key: `${written(sources)};${written(operations)};${written([conditions])}`,
    atoms: [...sources.flat(), ...operations.flat(), ...conditions],
  }
}

/** Entries that may still hold, none if one of them does; undefined: none can. */
function anyOf(entries: readonly (readonly Atom[])[], known: Known): readonly (readonly Atom[])[] | undefined {
  if (entries.length === 0) return []
  const left = entries.flatMap((entry) => {
    const open = entryOf(entry, known)
    return open === undefined ? [] : [open]
  })
  if (left.some((entry) => entry.length === 0)) return []
  return left.length === 0 ? undefined : left
}

/** Tests of which nothing is known yet; undefined: one fails. */
function entryOf(entry: readonly Atom[], known: Known): readonly Atom[] | undefined {
  const open: Atom[] = []
  for (const atom of entry) {
    const value = known(atom)
    if (value === false) return undefined
    if (value === undefined) open.push(atom)
  }
  return open
}
