import { FunctionError } from '../errors.ts'
import type { TemplateFunction } from '../template/execute-template.ts'
import {
  compareText,
  deepCopy,
  isEqual,
  isTrue,
  sortedKeys,
  toText,
  typeName,
  type Value,
  type ValueMap,
} from '../value.ts'
import { any, anyNumber, between, fixed, integer, list, map, text, toInteger } from './arguments.ts'

/** Fills `target` in place from `source`: `overwrite` says whose value wins. Empty values count as missing, as in mergo. */
export function mergeInto(target: ValueMap, source: ValueMap, overwrite: boolean): ValueMap {
  for (const [key, value] of source) {
    const own = target.get(key) ?? null
    if (own instanceof Map && value instanceof Map) mergeInto(own, value, overwrite)
    else if (overwrite ? isTrue(value) || !target.has(key) || isOverwriting(value) : !isTrue(own))
      target.set(key, value)
  }
  return target
}

/** False, zero and empty text do replace a value: who switches something off means it. Empty lists and maps don't (mergo). */
function isOverwriting(value: Value): boolean {
  return value !== null && typeof value !== 'object'
}

function merge(args: readonly Value[], overwrite: boolean): Value {
  const target = map(args, 0)
  for (let index = 1; index < args.length; index++) {
    if (any(args, index) === null) continue
    mergeInto(target, map(args, index), overwrite)
  }
  return target
}

function dict(args: readonly Value[]): ValueMap {
  const made: ValueMap = new Map()
  for (let index = 0; index < args.length; index += 2) made.set(toText(any(args, index)), any(args, index + 1))
  return made
}

function indexInto(args: readonly Value[]): Value {
  let value = any(args, 0)
  for (const [at, key] of args.slice(1).entries()) {
    if (value instanceof Map) value = value.get(text(args, at + 1)) ?? null
    else if (Array.isArray(value)) {
      if (typeof key !== 'bigint' && typeof key !== 'number')
        throw new FunctionError(`a list has no index ${toText(key)}`)
      const item = value[Number(key)]
      if (item === undefined) throw new FunctionError(`index ${toText(key)} of a list of ${value.length}`)
      value = item
    } else throw new FunctionError(`index of ${typeName(value)}`)
  }
  return value
}

function dig(args: readonly Value[]): Value {
  const path = args.slice(0, -2).map((_, index) => text(args, index))
  let value: Value = map(args, args.length - 1)
  for (const key of path) {
    if (!(value instanceof Map) || !value.has(key)) return any(args, args.length - 2)
    value = value.get(key) ?? null
  }
  return value
}

function lengthOf(value: Value): bigint {
  if (typeof value === 'string') return BigInt(Buffer.byteLength(value))
  if (Array.isArray(value)) return BigInt(value.length)
  if (value instanceof Map) return BigInt(value.size)
  throw new FunctionError(`len of ${typeName(value)}`)
}

function slice(args: readonly Value[]): Value {
  const value = any(args, 0)
  const bounds = args.slice(1).map((bound) => Number(toInteger(bound)))
  if (typeof value === 'string' || Array.isArray(value)) {
    if (bounds.some((bound) => bound < 0 || bound > value.length)) {
      throw new FunctionError(`slice of ${value.length} from ${bounds.join(' to ')}`)
    }
    return value.slice(...bounds)
  }
  throw new FunctionError(`slice of ${typeName(value)}`)
}

const unique = (items: readonly Value[]): Value[] =>
  items.filter((item, at) => items.findIndex((other) => isEqual(other, item)) === at)

const numbers = (from: number, to: number, step: number): Value[] => {
  const size = step === 0 ? 0 : Math.max(0, Math.ceil((to - from) / step))
  if (size > 100_000) throw new FunctionError(`a list of ${size} numbers`)
  return Array.from({ length: size }, (_, at) => BigInt(from + at * step))
}

/** Functions of lists and maps. */
export const COLLECTION_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  list: anyNumber(0, (args) => [...args]),
  tuple: anyNumber(0, (args) => [...args]),
  dict: anyNumber(0, dict),
  get: fixed(2, (args) => map(args, 0).get(text(args, 1)) ?? ''),
  set: fixed(3, (args) => map(args, 0).set(text(args, 1), any(args, 2))),
  unset: fixed(2, (args) => {
    map(args, 0).delete(text(args, 1))
    return map(args, 0)
  }),
  hasKey: fixed(2, (args) => map(args, 0).has(text(args, 1))),
  keys: anyNumber(1, (args) => args.flatMap((_, index) => sortedKeys(map(args, index)))),
  values: fixed(1, (args) => sortedKeys(map(args, 0)).map((key) => map(args, 0).get(key) ?? null)),
  pick: anyNumber(1, (args) => {
    const wanted = args.slice(1).map((_, index) => text(args, index + 1))
    return new Map([...map(args, 0)].filter(([key]) => wanted.includes(key)))
  }),
  omit: anyNumber(1, (args) => {
    const unwanted = args.slice(1).map((_, index) => text(args, index + 1))
    return new Map([...map(args, 0)].filter(([key]) => !unwanted.includes(key)))
  }),
  pluck: anyNumber(1, (args) =>
    args.slice(1).flatMap((_, index) => {
      const from = map(args, index + 1)
      return from.has(text(args, 0)) ? [from.get(text(args, 0)) ?? null] : []
    }),
  ),
  dig: anyNumber(3, dig),
  merge: anyNumber(1, (args) => merge(args, false)),
  mustMerge: anyNumber(1, (args) => merge(args, false)),
  mergeOverwrite: anyNumber(1, (args) => merge(args, true)),
  mustMergeOverwrite: anyNumber(1, (args) => merge(args, true)),
  deepCopy: fixed(1, (args) => deepCopy(any(args, 0))),
  mustDeepCopy: fixed(1, (args) => deepCopy(any(args, 0))),
  index: anyNumber(1, indexInto),
  len: fixed(1, (args) => lengthOf(any(args, 0))),
  slice: between(1, 3, slice),
  first: fixed(1, (args) => list(args, 0)[0] ?? null),
  last: fixed(1, (args) => list(args, 0).at(-1) ?? null),
  rest: fixed(1, (args) => list(args, 0).slice(1)),
  initial: fixed(1, (args) => list(args, 0).slice(0, -1)),
  append: fixed(2, (args) => [...list(args, 0), any(args, 1)]),
  prepend: fixed(2, (args) => [any(args, 1), ...list(args, 0)]),
  concat: anyNumber(0, (args) => args.flatMap((_, index) => list(args, index))),
  reverse: fixed(1, (args) => list(args, 0).toReversed()),
  uniq: fixed(1, (args) => unique(list(args, 0))),
  without: anyNumber(1, (args) => list(args, 0).filter((item) => !args.slice(1).some((other) => isEqual(item, other)))),
  has: fixed(2, (args) => any(args, 1) !== null && list(args, 1).some((item) => isEqual(item, any(args, 0)))),
  compact: fixed(1, (args) => list(args, 0).filter(isTrue)),
  sortAlpha: fixed(1, (args) => list(args, 0).map(toText).toSorted(compareText)),
  until: fixed(1, (args) => numbers(0, Number(integer(args, 0)), 1)),
  untilStep: fixed(3, (args) => numbers(Number(integer(args, 0)), Number(integer(args, 1)), Number(integer(args, 2)))),
}
