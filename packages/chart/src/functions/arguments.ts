import { FunctionError } from '../errors.ts'
import type { Caller, TemplateFunction } from '../template/execute-template.ts'
import { typeName, type Value, type ValueMap } from '../value.ts'

type Call = (args: readonly Value[], template: Caller) => Value

export function fixed(count: number, call: Call): TemplateFunction {
  return { arity: [count, count], call }
}

export function between(min: number, max: number, call: Call): TemplateFunction {
  return { arity: [min, max], call }
}

export function anyNumber(min: number, call: Call): TemplateFunction {
  return { arity: [min, Infinity], call }
}

export function any(args: readonly Value[], index: number): Value {
  return args[index] ?? null
}

export function text(args: readonly Value[], index: number): string {
  const value = any(args, index)
  if (typeof value === 'string') return value
  throw wrong('string', value, index)
}

export function list(args: readonly Value[], index: number): Value[] {
  const value = any(args, index)
  if (Array.isArray(value)) return value
  throw wrong('list', value, index)
}

export function map(args: readonly Value[], index: number): ValueMap {
  const value = any(args, index)
  if (value instanceof Map) return value
  throw wrong('map', value, index)
}

/** A whole number, as Sprig's loose conversions give it: text that is no number is 0. */
export function integer(args: readonly Value[], index: number): bigint {
  return toInteger(any(args, index))
}

/** A count such as an indent; it can't be negative or too large to mean anything. */
export function count(args: readonly Value[], index: number): number {
  const value = integer(args, index)
  if (value < 0n || value > 1_000_000n) throw new FunctionError(`argument ${index + 1}: ${value} is out of range`)
  return Number(value)
}

export function toInteger(value: Value): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'string') return /^[+-]?\d+$/.test(value) ? BigInt(value.replace(/^\+/, '')) : 0n
  return 0n
}

export function toFloat(value: Value): number {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'boolean') return value ? 1 : 0
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : 0
  return Number.isNaN(read) ? 0 : read
}

function wrong(wanted: string, value: Value, index: number): FunctionError {
  return new FunctionError(`argument ${index + 1} is ${typeName(value)} where a ${wanted} is needed`)
}
