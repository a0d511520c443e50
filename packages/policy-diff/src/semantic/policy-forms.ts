import { type JudgedRequest, judgedRequest } from '@ambit/policy'
import { MAX_VALUES } from '../limits.ts'
import { type ClauseOfRule, clausesOfRule } from '../policies/clauses-of-rule.ts'
import { decides, type ReadPolicy } from '../policies/read-policy.ts'
import type { Candidate } from './candidate.types.ts'
import { type CandidateOptions, candidatesOf } from './candidates-of.ts'
import { OF_ANOTHER_DOMAIN } from './client-candidates.ts'
import type { Dimension } from './dimension.ts'
import { Patterns } from './patterns.ts'
import { factsOf, pointOf } from './point.ts'

/** Values of a dimension that no policy of either side tells apart. */
export interface ValueClass {
  /** The plainest of them. */
  readonly value: string | undefined
  /** `other`: what no pattern names is among them. */
  readonly kind: Candidate['kind']
  readonly labels: readonly string[]
}

/** A test of one field, the same wherever it stands. */
export interface Atom {
  readonly id: number
  /** Undefined: the destination decides, and so it does not matter here which way. */
  readonly dimension: Dimension | undefined
  /** What it says of each class of the dimension. */
  readonly truth: readonly boolean[]
}

/** A rule of tests: of `from` and `to` one entry, of `when` all must hold. */
export interface RuleForm {
  readonly from: readonly (readonly Atom[])[]
  readonly to: readonly (readonly Atom[])[]
  readonly when: readonly Atom[]
}

export interface PolicyForm {
  readonly action: 'Allow' | 'Deny' | 'Custom'
  /** Policies of one binding are in force at the same places. */
  readonly binding: string
  /**
   * Asked of connections, perhaps of those of a waypoint instead of the client's: a rule that says no to the client may still match. What
   * it asks about requests plays no part there, unless a gateway asks it too.
   */
  readonly opaque: boolean
  readonly rules: readonly RuleForm[]
}

export interface Forms {
  readonly classes: ReadonlyMap<Dimension, readonly ValueClass[]>
  readonly before: readonly PolicyForm[]
  readonly after: readonly PolicyForm[]
  /** Dimensions of which not every value could be tried. */
  readonly partial: readonly Dimension[]
  /** The class a value is of; undefined: none that was tried, or no policy looks at the dimension. */
  readonly classOf: (dimension: Dimension, value: string | undefined) => number | undefined
}

/** Both sides in terms of the same tests, and the values that those tests tell apart. */
export function policyForms(
  before: readonly ReadPolicy[],
  after: readonly ReadPolicy[],
  options: CandidateOptions & { readonly asBytes: boolean },
): Forms {
  const patterns = new Patterns()
  for (const { policy } of [...before, ...after].filter(decides)) patterns.add(policy)
  const atoms = new AtomTable(patterns, options)
  const sides = [before, after].map((side) =>
    side.filter(decides).map((policy) => draftOf(policy, atoms, options.asBytes)),
  )
  const finished = atoms.finish()
  const [first = [], second = []] = sides.map((side) => side.map((draft) => formOf(draft, finished.atoms)))
  const { classes, partial, classOf } = finished
  return { classes, before: first, after: second, partial, classOf }
}

type Draft = Omit<PolicyForm, 'rules'> & {
  readonly rules: readonly {
    readonly from: readonly (readonly number[])[]
    readonly to: readonly (readonly number[])[]
    readonly when: readonly number[]
  }[]
}

function draftOf({ policy, compiled, binding }: ReadPolicy, atoms: AtomTable, asBytes: boolean): Draft {
  const rules = policy.rules.flatMap((rule, i) => {
    const compiledRule = compiled.rules[i]
    // What is not understood of an ALLOW never matches.
    if (compiledRule === undefined || compiledRule.never) return []
    const clauses = clausesOfRule(rule, compiledRule)
    const each = (entry: readonly ClauseOfRule[]): readonly number[] => entry.map((clause) => atoms.idOf(clause))
    return [{ from: clauses.from.map(each), to: clauses.to.map(each), when: each(clauses.when) }]
  })
  const action = policy.action === 'Audit' ? 'Custom' : policy.action
  return { action, binding: JSON.stringify(binding), opaque: asBytes || binding.targetRefs.length === 0, rules }
}

function formOf({ rules, ...policy }: Draft, atoms: readonly Atom[]): PolicyForm {
  const each = (ids: readonly number[]): readonly Atom[] => ids.flatMap((id) => atoms[id] ?? [])
  return {
    ...policy,
    rules: rules.map(({ from, to, when }) => ({ from: from.map(each), to: to.map(each), when: each(when) })),
  }
}

interface MadeAtom {
  readonly dimension: Dimension | undefined
  /** Of each candidate. */
  readonly truth: readonly boolean[]
  readonly clause: ClauseOfRule['clause']
}

class AtomTable {
  readonly #patterns: Patterns
  readonly #options: CandidateOptions
  readonly #candidates = new Map<Dimension, readonly Candidate[]>()
  readonly #judged = new Map<Dimension, readonly JudgedRequest[]>()
  readonly #partial: Dimension[] = []
  readonly #ids = new Map<string, number>()
  readonly #made: MadeAtom[] = []

  constructor(patterns: Patterns, options: CandidateOptions) {
    this.#patterns = patterns
    this.#options = options
  }

  /** Clauses that say the same of every candidate are one. */
  idOf({ dimension, name, values, clause }: ClauseOfRule): number {
    const written = `${name} ${JSON.stringify(values)}`
    const known = this.#ids.get(written)
    if (known !== undefined) return known
    const truth = dimension === undefined ? [] : this.#truthOf(dimension, clause)
    // What only the destination decides is told apart by how it is written.
    const meaning = dimension === undefined ? written : `=${dimension} ${truth.map(Number).join('')}`
    let id = this.#ids.get(meaning)
    if (id === undefined) {
      id = this.#made.length
      this.#made.push({ dimension, truth, clause })
      this.#ids.set(meaning, id)
    }
    this.#ids.set(written, id)
    return id
  }

  /** Candidates of which all tests say the same become one class. */
  finish(): Pick<Forms, 'classes' | 'partial' | 'classOf'> & { readonly atoms: readonly Atom[] } {
    const classes = new Map<Dimension, readonly ValueClass[]>()
    const firsts = new Map<Dimension, readonly number[]>()
    const keys = new Map<Dimension, readonly string[]>()
    this.#candidatesOf('client')
    for (const [dimension, candidates] of this.#candidates) {
      const tests = this.#made.filter((atom) => atom.dimension === dimension)
      const groups = new Map<string, number[]>()
      for (const [i, { value }] of candidates.entries()) {
        const key = keyOf(
          value,
          tests.map(({ truth }) => truth[i] === true),
        )
        groups.getOrInsertComputed(key, () => []).push(i)
      }
      keys.set(dimension, [...groups.keys()])
      const members = [...groups.values()]
      firsts.set(
        dimension,
        members.map(([first = 0]) => first),
      )
      classes.set(
        dimension,
        members.map((group) => classFrom(group.flatMap((i) => candidates[i] ?? []))),
      )
    }
    const atoms = this.#made.map(({ dimension, truth }, id) => {
      const of = dimension === undefined ? [] : (firsts.get(dimension) ?? [])
      return { id, dimension, truth: of.map((i) => truth[i] === true) }
    })
    const byDimension = Map.groupBy(this.#made, ({ dimension }) => dimension)
    const classOf: Forms['classOf'] = (dimension, value) => {
      const tests = byDimension.get(dimension) ?? []
      const judged = judgedWith(dimension, value)
      const key = keyOf(
        value,
        tests.map(({ clause }) => clause.holds(judged)),
      )
      const found = keys.get(dimension)?.indexOf(key) ?? -1
      return found < 0 ? undefined : found
    }
    return { classes, partial: this.#partial, atoms, classOf }
  }

  #candidatesOf(dimension: Dimension): readonly Candidate[] {
    return this.#candidates.getOrInsertComputed(dimension, () => {
      const { list, partial } = candidatesOf(dimension, this.#patterns, this.#options)
      const values = new Map(list.toReversed().map((candidate) => [candidate.value, candidate]))
      const distinct = list.filter((candidate) => values.get(candidate.value) === candidate)
      if (partial || distinct.length > MAX_VALUES) this.#partial.push(dimension)
      if (distinct.length <= MAX_VALUES) return distinct
      // Who has no identity, and what is not there, is always tried.
      const absent = distinct.filter(({ value }) => value === undefined)
      return [...absent, ...distinct.filter(({ value }) => value !== undefined)].slice(0, MAX_VALUES)
    })
  }

  #truthOf(dimension: Dimension, clause: ClauseOfRule['clause']): readonly boolean[] {
    const judged = this.#judged.getOrInsertComputed(dimension, () =>
      this.#candidatesOf(dimension).map(({ value }) => judgedWith(dimension, value)),
    )
    return judged.map((request) => clause.holds(request))
  }
}

/** As clauses see a request of which only this is said. */
function judgedWith(dimension: Dimension, value: string | undefined): JudgedRequest {
  const point = pointOf(new Map([[dimension, value]]), '')
  return judgedRequest(factsOf({ ...point, client: dimension === 'client' ? value : undefined }))
}

/** Absent is a class of its own, whatever is asked. */
function keyOf(value: string | undefined, tests: readonly boolean[]): string {
  return (value === undefined ? 'no ' : '') + tests.map(Number).join('')
}

function classFrom(members: readonly Candidate[]): ValueClass {
  const [first] = members
  const plain = members.filter(({ label }) => !label.startsWith('such as '))
  const other = members.find(({ kind }) => kind === 'other')
  const labels = (plain.length > 0 ? plain : members.slice(0, 1)).map(({ label }) => label)
  return {
    value: (other ?? first)?.value,
    kind: other?.kind ?? first?.kind ?? 'named',
    labels: [...new Set(labels.filter((label) => !isSaid(label, labels)))],
  }
}

/** Of a client whose trust domain makes no difference only its name is told. */
function isSaid(label: string, labels: readonly string[]): boolean {
  return label.endsWith(OF_ANOTHER_DOMAIN) && labels.includes(label.slice(0, -OF_ANOTHER_DOMAIN.length))
}
