import { parseQuantity } from '../../objects/quantity.ts'
import { isObject, type JsonObject, setMember } from '../json.ts'
import { MAX_DEPTH } from '../limits.ts'
import { jsonFields } from './builtin-types.ts'
import type { TypeNode } from './type-node.ts'

/** Characters of a wrong value repeated in a message. */
const MAX_SHOWN = 100

export interface FieldCheck {
  /** The value with unknown members dropped. */
  readonly value: unknown
  /** Paths of what was dropped. */
  readonly unknown: readonly string[]
  /** Members of the wrong JSON type, worded for a 400. */
  readonly mismatches: readonly string[]
}

/** Compares a built-in object with its type: drops unknown fields and nulls, finds wrong types. Doesn't change its input. */
export function checkFields(type: TypeNode, value: unknown): FieldCheck {
  const unknown: string[] = []
  const mismatches: string[] = []
  const walk = (node: TypeNode, here: unknown, path: string, depth: number): unknown => {
    if (depth > MAX_DEPTH) {
      mismatches.push(`${path}: nested deeper than ${MAX_DEPTH}`)
      return undefined
    }
    if (node.kind === 'any' || node.kind === 'raw') return here
    const expected = mismatchOf(node, here)
    if (expected !== undefined) {
      mismatches.push(`cannot unmarshal ${jsonTypeOf(here)} into field ${path || 'object'} of type ${expected}`)
      return here
    }
    if (node.kind === 'quantity' && parseQuantity(here) === undefined)
      mismatches.push(
        `cannot take ${JSON.stringify(here).slice(0, MAX_SHOWN)} as ${path}: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
      )
    if (node.kind === 'list') {
      const items = here as readonly unknown[]
      return items.map((item, index) => (node.of ? walk(node.of, item, `${path}[${index}]`, depth + 1) : item))
    }
    if (!isObject(here)) return here
    const result: JsonObject = {}
    const fields = node.kind === 'object' ? jsonFields(node) : undefined
    for (const [key, member] of Object.entries(here)) {
      if (member === undefined) continue
      const memberPath = path === '' ? key : `${path}.${key}`
      const memberType = fields === undefined ? node.of : fields.get(key)?.type
      if (memberType === undefined) {
        unknown.push(memberPath)
        continue
      }
      if (member === null && memberType.kind !== 'any' && memberType.kind !== 'raw') {
        if (fields === undefined) setMember(result, key, memberType.kind === 'string' ? '' : member)
        continue
      }
      setMember(result, key, walk(memberType, member, memberPath, depth + 1))
    }
    return result
  }
  return { value: walk(withTypeMeta(type), value, '', 0), unknown, mismatches }
}

const typeMeta = new WeakMap<TypeNode, TypeNode>()

/** The type with apiVersion and kind, which protobuf keeps outside of the message. */
export function withTypeMeta(type: TypeNode): TypeNode {
  const known = typeMeta.get(type)
  if (known !== undefined || type.kind !== 'object') return known ?? type
  const string: TypeNode = { kind: 'string' }
  const fields = new Map([['apiVersion', { type: string }], ['kind', { type: string }], ...jsonFields(type)])
  const node: TypeNode = { kind: 'object', name: type.name, open: type.open, fields }
  typeMeta.set(type, node)
  return node
}

function mismatchOf(node: TypeNode, value: unknown): string | undefined {
  switch (node.kind) {
    case 'string':
    case 'bytes':
    case 'time':
      return typeof value === 'string' ? undefined : 'string'
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) ? undefined : 'integer'
    case 'number':
      return typeof value === 'number' ? undefined : 'number'
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'boolean'
    case 'quantity':
    case 'intstr':
      return typeof value === 'string' || typeof value === 'number' ? undefined : 'string or number'
    case 'object':
    case 'map':
      return isObject(value) ? undefined : 'object'
    case 'list':
      return Array.isArray(value) ? undefined : 'array'
    case 'raw':
    case 'any':
      return undefined
    default:
      return node.kind satisfies never
  }
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
