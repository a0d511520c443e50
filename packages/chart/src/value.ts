import { FunctionError } from './errors.ts'

/**
 * What templates compute with. As in Go, an integer of a template (bigint) is another type than a number of a YAML file
 * (number, Go's float64): comparing them is an error there, so it is one here.
 */
export type Value = null | boolean | bigint | number | string | Value[] | ValueMap | Struct

/** Go's map[string]interface{}. Built-in functions change it in place, as Sprig's do. */
export type ValueMap = Map<string, Value>

/** A Go struct: fields it does not have are errors, not nothing. */
export class Struct {
  readonly typeName: string
  readonly fields: ReadonlyMap<string, Value>
  readonly methods: ReadonlyMap<string, (...args: Value[]) => Value>
  /** What printing and ranging see, if that makes sense for the type. */
  readonly content: Value | undefined

  constructor(
    typeName: string,
    members: {
      readonly fields?: Readonly<Record<string, Value>>
      readonly methods?: Readonly<Record<string, (...args: Value[]) => Value>>
      readonly content?: Value
    },
  ) {
    this.typeName = typeName
    this.fields = new Map(Object.entries(members.fields ?? {}))
    this.methods = new Map(Object.entries(members.methods ?? {}))
    this.content = members.content
  }
}

/** A plain JSON or YAML value as templates see it. */
export function fromPlain(plain: unknown): Value {
  if (plain === null || plain === undefined) return null
  if (typeof plain === 'string' || typeof plain === 'boolean' || typeof plain === 'bigint') return plain
  if (typeof plain === 'number') return plain
  if (Array.isArray(plain)) return plain.map(fromPlain)
  if (typeof plain === 'object') {
    return new Map(Object.entries(plain).map(([key, value]) => [key, fromPlain(value)] as const))
  }
  throw new FunctionError(`a ${typeof plain} is no value of a chart`)
}

/** The value as plain JavaScript; keys in order, as Go's encoders write them. */
export function toPlain(value: Value): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number') {
    return value
  }
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(toPlain)
  if (value instanceof Map) {
    return Object.fromEntries(sortedKeys(value).map((key) => [key, toPlain(value.get(key) ?? null)]))
  }
  if (value.content !== undefined) return toPlain(value.content)
  return Object.fromEntries([...value.fields].map(([key, field]) => [key, toPlain(field)]))
}

/** Go ranges over maps, and encodes them, in the order of their keys' bytes. */
export function sortedKeys(map: ValueMap): string[] {
  return [...map.keys()].toSorted(compareText)
}

export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** Go's truth: what is not there, zero or empty is false. */
export function isTrue(value: Value): boolean {
  if (value === null || value === false) return false
  if (value === true) return true
  if (typeof value === 'bigint') return value !== 0n
  if (typeof value === 'number') return value !== 0
  if (typeof value === 'string') return value !== ''
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Map) return value.size > 0
  return true
}

/** The name Go would give the type in a message. */
export function typeName(value: Value): string {
  if (value === null) return 'nil'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return 'float64'
  if (typeof value === 'string') return 'string'
  if (Array.isArray(value)) return '[]interface {}'
  return value instanceof Map ? 'map[string]interface {}' : value.typeName
}

/** Text as Go prints the value with %v. */
export function toText(value: Value): string {
  if (value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number') return floatText(value)
  if (Array.isArray(value)) return `[${value.map(nested).join(' ')}]`
  if (value instanceof Map) {
    return `map[${sortedKeys(value)
      .map((key) => `${key}:${nested(value.get(key) ?? null)}`)
      .join(' ')}]`
  }
  if (value instanceof Struct) {
    if (value.content === undefined) throw new FunctionError(`a ${value.typeName} can't be printed`)
    return toText(value.content)
  }
  return String(value)
}

function nested(value: Value): string {
  return value === null ? '<nil>' : toText(value)
}

/** Go's %v of a float64: the shortest that reads back, with an exponent below 1e-4 and from 1e21. */
function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  const size = Math.abs(value)
  const text = size !== 0 && size < 1e-4 ? value.toExponential() : String(value)
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

/** A copy that shares nothing with the original. */
export function deepCopy(value: Value): Value {
  if (Array.isArray(value)) return value.map(deepCopy)
  if (value instanceof Map) return new Map([...value].map(([key, member]) => [key, deepCopy(member)]))
  return value
}

export function isEqual(a: Value, b: Value): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => isEqual(item, b[at] ?? null))
  }
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false
    return [...a].every(([key, value]) => b.has(key) && isEqual(value, b.get(key) ?? null))
  }
  return a === b
}
