import { type Branch, type Diagram, DiagramTable } from './diagram.ts'
import { byOrder, type Dimension, isOfToken } from './dimension.ts'
import type { Values } from './point.ts'
import type { Atom, Forms, ValueClass } from './policy-forms.ts'
import { type Residual, residualOf } from './residual.ts'

export interface Exploration<L> {
  /** Only policies differ: where those that are left are the same on both sides, so is the outcome. */
  readonly onlyPolicies: boolean
  /** Policies without targetRefs see requests too. */
  readonly atGateway: boolean
  /** Both meshes are asked; undefined: nothing changes. */
  readonly ask: (values: Values) => L | undefined
  readonly keyOf: (leaf: L) => string
  /** Questions that may be asked. */
  readonly budget: number
}

export interface Explored<L> {
  readonly diagram: Diagram<L>
  readonly asked: number
  /** The budget did not last: parts were left out. */
  readonly partial: boolean
}

/**
 * Finds where two sets of policies decide differently. Not every combination of values is tried: of each field only what the rules that can
 * still match tell apart, and nothing more where the rules left are the same on both sides.
 */
export function explore<L>(forms: Forms, options: Exploration<L>): Explored<L> {
  const table = new DiagramTable<L>(options.keyOf)
  let asked = 0
  let partial = false
  const chosen = new Map<Dimension, number>()

  const known = ({ dimension, truth }: Atom): boolean | undefined => {
    const at = dimension === undefined ? undefined : chosen.get(dimension)
    return at === undefined ? undefined : truth[at] === true
  }

  const leaf = (): Diagram<L> => {
    if (asked >= options.budget) {
      partial = true
      return table.same
    }
    asked++
    const found = options.ask(valuesOf(chosen, forms.classes))
    return found === undefined ? table.same : table.leaf(found)
  }

  const visit = (): Diagram<L> => {
    if (partial) return table.same
    const sides = [forms.before, forms.after].map((side) => residualOf(side, known, options.atGateway))
    const [before, after] = sides
    if (options.onlyPolicies && before?.key === after?.key) return table.same
    const dimension = nextDimension(sides, chosen)
    if (dimension === undefined) return leaf()
    const atoms = new Set(sides.flatMap(({ live }) => [...live]).filter((atom) => atom.dimension === dimension))
    const branches: Branch<L>[] = []
    for (const classes of groupsOf(forms.classes.get(dimension) ?? [], [...atoms], (i) => isPossible(dimension, i))) {
      const [representative = 0] = classes
      chosen.set(dimension, representative)
      branches.push({ classes, to: visit() })
      chosen.delete(dimension)
    }
    return table.split(dimension, branches)
  }

  /** Without a token there are no claims. */
  const isPossible = (dimension: Dimension, index: number): boolean => {
    if (!isOfToken(dimension) || dimension === 'subject') return true
    const subject = chosen.get('subject')
    const isAbsent = subject !== undefined && forms.classes.get('subject')?.[subject]?.kind === 'none'
    return !isAbsent || forms.classes.get(dimension)?.[index]?.kind === 'none'
  }

  return { diagram: visit(), asked, partial }
}

/** Who comes matters always: a client without an identity takes another way. */
function nextDimension(sides: readonly Residual[], chosen: ReadonlyMap<Dimension, number>): Dimension | undefined {
  if (!chosen.has('client')) return 'client'
  const open = new Set<Dimension>()
  for (const { live } of sides) {
    for (const { dimension } of live) if (dimension !== undefined && !chosen.has(dimension)) open.add(dimension)
  }
  return [...open].toSorted(byOrder)[0]
}

/** Classes of which the tests say the same go together; those where the field is absent stay apart. */
function groupsOf(
  classes: readonly ValueClass[],
  atoms: readonly Atom[],
  isPossible: (index: number) => boolean,
): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>()
  for (const [i, { kind }] of classes.entries()) {
    if (!isPossible(i)) continue
    const key = `${kind === 'none'}${atoms.map(({ truth }) => (truth[i] === true ? 1 : 0)).join('')}`
    groups.getOrInsertComputed(key, () => []).push(i)
  }
  return [...groups.values()]
}

function valuesOf(
  chosen: ReadonlyMap<Dimension, number>,
  classes: ReadonlyMap<Dimension, readonly ValueClass[]>,
): Values {
  return new Map([...chosen].map(([dimension, i]) => [dimension, classes.get(dimension)?.[i]?.value]))
}
