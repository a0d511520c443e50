import { FunctionError } from '../errors.ts'
import type { TemplateFunction } from '../template/execute-template.ts'
import { compareText, isEqual, isTrue, Struct, typeName, type Value } from '../value.ts'
import { any, anyNumber, between, fixed, integer, text, toFloat, toInteger } from './arguments.ts'

/** Go compares only what has one type; a number of a values file is no integer of a template. */
function order(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if ((typeof a === 'bigint' && typeof b === 'bigint') || (typeof a === 'number' && typeof b === 'number')) {
    return a < b ? -1 : a > b ? 1 : 0
  }
  throw incomparable(a, b)
}

function isSame(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b
  if (typeof a === typeof b && typeof a !== 'object') return a === b
  throw incomparable(a, b)
}

function incomparable(a: Value, b: Value): FunctionError {
  return new FunctionError(
    `${typeName(a)} and ${typeName(b)} can't be compared${[a, b].some((one) => typeof one === 'number') ? ' (int makes both whole numbers)' : ''}`,
  )
}

const whole = (args: readonly Value[], call: (a: bigint, b: bigint) => bigint): bigint =>
  args.map(toInteger).reduce((a, b) => call(a, b))

const divisor = (value: bigint): bigint => {
  if (value === 0n) throw new FunctionError('division by zero')
  return value
}

const kindOf = (value: Value): string => {
  if (value === null) return 'invalid'
  if (Array.isArray(value)) return 'slice'
  if (value instanceof Map) return 'map'
  return value instanceof Struct ? 'struct' : typeName(value)
}

/** Functions that decide, compare and count. */
export const LOGIC_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  not: fixed(1, (args) => !isTrue(any(args, 0))),
  eq: anyNumber(2, (args) => args.slice(1).some((other) => isSame(any(args, 0), other))),
  ne: fixed(2, (args) => !isSame(any(args, 0), any(args, 1))),
  lt: fixed(2, (args) => order(any(args, 0), any(args, 1)) < 0),
  le: fixed(2, (args) => order(any(args, 0), any(args, 1)) <= 0),
  gt: fixed(2, (args) => order(any(args, 0), any(args, 1)) > 0),
  ge: fixed(2, (args) => order(any(args, 0), any(args, 1)) >= 0),
  deepEqual: fixed(2, (args) => isEqual(any(args, 0), any(args, 1))),
  default: between(1, 2, (args) => {
    const given = args.length === 1 ? null : any(args, 1)
    return isTrue(given) ? given : any(args, 0)
  }),
  empty: fixed(1, (args) => !isTrue(any(args, 0))),
  coalesce: anyNumber(0, (args) => args.find(isTrue) ?? null),
  all: anyNumber(0, (args) => args.every(isTrue)),
  any: anyNumber(0, (args) => args.some(isTrue)),
  ternary: fixed(3, (args) => {
    const condition = any(args, 2)
    if (typeof condition !== 'boolean')
      throw new FunctionError(`ternary decides by a bool, not by ${typeName(condition)}`)
    return any(args, condition ? 0 : 1)
  }),
  kindOf: fixed(1, (args) => kindOf(any(args, 0))),
  kindIs: fixed(2, (args) => kindOf(any(args, 1)) === text(args, 0)),
  typeOf: fixed(1, (args) => typeName(any(args, 0))),
  typeIs: fixed(2, (args) => typeName(any(args, 1)) === text(args, 0)),
  int: fixed(1, (args) => integer(args, 0)),
  int64: fixed(1, (args) => integer(args, 0)),
  float64: fixed(1, (args) => toFloat(any(args, 0))),
  atoi: fixed(1, (args) => toInteger(text(args, 0))),
  add: anyNumber(1, (args) => whole(args, (a, b) => a + b)),
  add1: fixed(1, (args) => integer(args, 0) + 1n),
  sub: fixed(2, (args) => integer(args, 0) - integer(args, 1)),
  mul: anyNumber(1, (args) => whole(args, (a, b) => a * b)),
  div: fixed(2, (args) => integer(args, 0) / divisor(integer(args, 1))),
  mod: fixed(2, (args) => integer(args, 0) % divisor(integer(args, 1))),
  max: anyNumber(1, (args) => whole(args, (a, b) => (a > b ? a : b))),
  min: anyNumber(1, (args) => whole(args, (a, b) => (a < b ? a : b))),
  ceil: fixed(1, (args) => Math.ceil(toFloat(any(args, 0)))),
  floor: fixed(1, (args) => Math.floor(toFloat(any(args, 0)))),
  round: fixed(2, (args) => Number(toFloat(any(args, 0)).toFixed(Number(integer(args, 1))))),
}
