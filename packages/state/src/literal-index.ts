import type { Cidr, Ip } from '@ambit/core'
import { NetworkTable } from './network-table.ts'

/** What a value of a field must be, in a form that can be looked up by the value. */
export type Literal<F extends string> =
  | { readonly field: F; readonly form: 'exact' | 'prefix' | 'suffix'; readonly value: string }
  | { readonly field: F; readonly form: 'number'; readonly value: number }
  | { readonly field: F; readonly form: 'network'; readonly value: Cidr }

/** One of the literals must hit. */
export type AnyOf<F extends string> = readonly Literal<F>[]

/** Each of these must hold; without any it is not known by literals when the alternative holds. */
export type Alternative<F extends string> = readonly AnyOf<F>[]

/** One of the alternatives must hold. */
export type Condition<F extends string> = readonly Alternative<F>[]

/** A field's value of what is judged; undefined is hit by no literal. */
export type FieldValue<F extends string> = (field: F) => string | number | undefined

type Lengths<T> = Map<number, Map<string, Set<T>>>

interface FieldTables<T> {
  readonly exact: Map<string | number, Set<T>>
  readonly prefixes: Lengths<T>
  readonly suffixes: Lengths<T>
  readonly networks: NetworkTable<T>
}

/**
 * Finds what can hold without asking everything: each value is filed under literals of which one must hit for it to hold. Of the
 * conditions that would do the one is taken whose places are the emptiest.
 */
export class LiteralIndex<T, F extends string> {
  readonly #fields = new Map<F, FieldTables<T>>()
  readonly #unfiled = new Set<T>()
  readonly #filed = new Map<T, readonly Literal<F>[]>()

  /** All of the conditions must hold for the value to; one without alternatives never does. */
  add(value: T, conditions: readonly Condition<F>[]): void {
    let best: readonly Literal<F>[] | undefined
    let least = Number.POSITIVE_INFINITY
    for (const condition of conditions) {
      // It never holds.
      if (condition.length === 0) return
      const literals = this.#literalsOf(condition)
      if (literals === undefined) continue
      const crowd = this.#crowd(literals)
      if (crowd >= least) continue
      best = literals
      least = crowd
    }
    if (best === undefined) {
      this.#unfiled.add(value)
      return
    }
    this.#filed.set(value, best)
    for (const literal of best) this.#file(literal, value)
  }

  remove(value: T): void {
    this.#unfiled.delete(value)
    for (const literal of this.#filed.get(value) ?? []) this.#unfile(literal, value)
    this.#filed.delete(value)
  }

  /** What is under no literal, in the order it was added. */
  get unfiled(): ReadonlySet<T> {
    return this.#unfiled
  }

  /** What is filed and can hold, in any order and perhaps more than once. */
  filed(valueOf: FieldValue<F>): readonly T[] {
    const found: T[] = []
    for (const [field, { exact, prefixes, suffixes, networks }] of this.#fields) {
      const value = valueOf(field)
      if (value === undefined) continue
      push(exact.get(value), found)
      if (typeof value === 'number') continue
      for (const [length, buckets] of prefixes) push(buckets.get(value.slice(0, length)), found)
      // A slice from -0 would be all of it.
      for (const [length, buckets] of suffixes) {
        if (length <= value.length) push(buckets.get(value.slice(value.length - length)), found)
      }
      if (!networks.isEmpty) networks.collect(value as Ip, found)
    }
    return found
  }

  /** Of each alternative the constraint with the emptiest places; undefined when one has none. */
  #literalsOf(condition: Condition<F>): readonly Literal<F>[] | undefined {
    const literals: Literal<F>[] = []
    for (const alternative of condition) {
      let best: AnyOf<F> | undefined
      let least = Number.POSITIVE_INFINITY
      for (const anyOf of alternative) {
        const crowd = this.#crowd(anyOf)
        if (crowd >= least) continue
        best = anyOf
        least = crowd
      }
      if (best === undefined) return undefined
      literals.push(...best)
    }
    return literals
  }

  /** How many are in the fullest of the places. */
  #crowd(literals: readonly Literal<F>[]): number {
    let most = 0
    for (const literal of literals) {
      const tables = this.#fields.get(literal.field)
      if (tables === undefined) continue
      const size =
        literal.form === 'network'
          ? tables.networks.sharing(literal.value)
          : (bucketsOf(tables, literal)?.get(literal.value)?.size ?? 0)
      most = Math.max(most, size)
    }
    return most
  }

  #file(literal: Literal<F>, value: T): void {
    let tables = this.#fields.get(literal.field)
    if (tables === undefined) {
      tables = { exact: new Map(), prefixes: new Map(), suffixes: new Map(), networks: new NetworkTable() }
      this.#fields.set(literal.field, tables)
    }
    if (literal.form === 'network') {
      tables.networks.add(literal.value, value)
      return
    }
    const buckets = bucketsOf(tables, literal) ?? addLength(tables, literal)
    const bucket = buckets.get(literal.value)
    if (bucket === undefined) buckets.set(literal.value, new Set([value]))
    else bucket.add(value)
  }

  #unfile(literal: Literal<F>, value: T): void {
    const tables = this.#fields.get(literal.field)
    if (tables === undefined) return
    if (literal.form === 'network') {
      tables.networks.remove(literal.value, value)
      return
    }
    const buckets = bucketsOf(tables, literal)
    const bucket = buckets?.get(literal.value)
    bucket?.delete(value)
    if (bucket?.size === 0) buckets?.delete(literal.value)
    if (buckets?.size !== 0) return
    if (literal.form === 'prefix') tables.prefixes.delete(literal.value.length)
    if (literal.form === 'suffix') tables.suffixes.delete(literal.value.length)
  }
}

type Unranged<F extends string> = Exclude<Literal<F>, { readonly form: 'network' }>

function bucketsOf<T, F extends string>(
  tables: FieldTables<T>,
  literal: Unranged<F>,
): Map<string | number, Set<T>> | undefined {
  if (literal.form === 'prefix') return tables.prefixes.get(literal.value.length)
  if (literal.form === 'suffix') return tables.suffixes.get(literal.value.length)
  return tables.exact
}

function addLength<T, F extends string>(tables: FieldTables<T>, literal: Unranged<F>): Map<string | number, Set<T>> {
  if (literal.form !== 'prefix' && literal.form !== 'suffix') return tables.exact
  const buckets = new Map<string, Set<T>>()
  const lengths = literal.form === 'prefix' ? tables.prefixes : tables.suffixes
  lengths.set(literal.value.length, buckets)
  return buckets
}

function push<T>(bucket: ReadonlySet<T> | undefined, into: T[]): void {
  if (bucket !== undefined) for (const value of bucket) into.push(value)
}
