import type { Dimension } from './dimension.ts'

/** Where something changes, as a tree of fields and sets of their classes. Equal diagrams are one object. */
export type Diagram<L> =
  | { readonly kind: 'leaf'; readonly id: number; readonly leaf: L | undefined }
  | {
      readonly kind: 'split'
      readonly id: number
      readonly dimension: Dimension
      readonly branches: readonly Branch<L>[]
    }

export interface Branch<L> {
  /** Indexes of classes, in order. */
  readonly classes: readonly number[]
  readonly to: Diagram<L>
}

/** A way through the diagram to a leaf: of each field told apart, the classes it may have. */
export interface DiagramPath<L> {
  readonly conditions: readonly { readonly dimension: Dimension; readonly classes: readonly number[] }[]
  readonly leaf: L
}

/** Makes diagrams; branches that lead to the same are one, and a field that makes no difference is left out. */
export class DiagramTable<L> {
  readonly #keyOf: (leaf: L) => string
  readonly #known = new Map<string, Diagram<L>>()
  /** Nothing changes. */
  readonly same: Diagram<L>

  constructor(keyOf: (leaf: L) => string) {
    this.#keyOf = keyOf
    this.same = this.#intern('', (id) => ({ kind: 'leaf', id, leaf: undefined }))
  }

  leaf(leaf: L): Diagram<L> {
    return this.#intern(`leaf ${this.#keyOf(leaf)}`, (id) => ({ kind: 'leaf', id, leaf }))
  }

  split(dimension: Dimension, branches: readonly Branch<L>[]): Diagram<L> {
    const merged = new Map<Diagram<L>, number[]>()
    for (const { classes, to } of branches) merged.getOrInsertComputed(to, () => []).push(...classes)
    const [only] = merged.keys()
    if (only !== undefined && merged.size === 1) return only
    const sorted = [...merged]
      .map(([to, classes]) => ({ classes: classes.toSorted((a, b) => a - b), to }))
      .toSorted((a, b) => (a.classes[0] ?? 0) - (b.classes[0] ?? 0))
    const key = `${dimension}: ${sorted.map(({ classes, to }) => `${classes.join(',')}>${to.id}`).join(' ')}`
    return this.#intern(key, (id) => ({ kind: 'split', id, dimension, branches: sorted }))
  }

  #intern(key: string, make: (id: number) => Diagram<L>): Diagram<L> {
    return this.#known.getOrInsertComputed(key, () => make(this.#known.size))
  }
}

export function* pathsOf<L>(diagram: Diagram<L>, before: DiagramPath<L>['conditions'] = []): Generator<DiagramPath<L>> {
  if (diagram.kind === 'leaf') {
    if (diagram.leaf !== undefined) yield { conditions: before, leaf: diagram.leaf }
    return
  }
  const { dimension, branches } = diagram
  for (const { classes, to } of branches) yield* pathsOf(to, [...before, { dimension, classes }])
}
