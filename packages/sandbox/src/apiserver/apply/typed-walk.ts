import { isObject, type JsonObject, jsonEqual, setMember } from '../json.ts'
import { jsonFields } from '../schema/builtin-types.ts'
import { ANY_TYPE, type TypeNode } from '../schema/type-node.ts'
import { EMPTY_SET, type FieldSet, isEmpty, LEAF } from './field-set.ts'

/** Whether a value is owned as a whole. */
function isLeaf(type: TypeNode, value: unknown): boolean {
  if (type.atomic === true || type.kind === 'raw') return true
  if (Array.isArray(value)) return type.kind !== 'list' || type.listKeys === undefined
  return !isObject(value)
}

function isDeclared(type: TypeNode, key: string): boolean {
  return type.kind === 'object' && jsonFields(type).has(key)
}

/** Type of a member; unknown members of open types merge by key as untyped maps do. */
export function memberType(type: TypeNode, key: string): TypeNode {
  if (type.kind === 'object') return jsonFields(type).get(key)?.type ?? type.of ?? ANY_TYPE
  return type.of ?? ANY_TYPE
}

/** Path element of a list item: its keys, or its value in a set. */
export function itemElement(type: TypeNode, item: unknown): string {
  if (type.listKeys === 'set' || type.listKeys === undefined || !isObject(item)) return `v:${JSON.stringify(item)}`
  const keys: JsonObject = {}
  for (const key of [...type.listKeys].sort()) {
    const value = item[key] ?? type.keyDefaults?.[key]
    if (value !== undefined) keys[key] = value
  }
  return `k:${JSON.stringify(keys)}`
}

/** Paths that a configuration names: what applying it owns. */
export function fieldSetOf(type: TypeNode, value: unknown): FieldSet {
  if (isLeaf(type, value)) return LEAF
  const children = new Map<string, FieldSet>()
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      const element = itemElement(type, item)
      const inner = type.listKeys === 'set' ? EMPTY_SET : fieldSetOf(type.of ?? ANY_TYPE, item)
      children.set(element, { member: true, children: inner.children })
    }
    return { member: false, children }
  }
  for (const [key, item] of Object.entries(value as JsonObject)) {
    if (item === undefined) continue
    const inner = fieldSetOf(memberType(type, key), item)
    const empty = isEmpty(inner)
    children.set(`f:${key}`, !empty && isDeclared(type, key) ? inner : { member: true, children: inner.children })
  }
  return { member: false, children }
}

/** Paths whose value is new or changed in `after`; a container that is new is itself among them. */
export function changedFields(type: TypeNode, before: unknown, after: unknown): FieldSet {
  if (after === undefined) return EMPTY_SET
  if (isLeaf(type, after)) return jsonEqual(before, after) ? EMPTY_SET : LEAF
  const children = new Map<string, FieldSet>()
  const appeared = before === undefined || before === null
  if (Array.isArray(after)) {
    const old = new Map(
      (Array.isArray(before) ? (before as unknown[]) : []).map((item) => [itemElement(type, item), item]),
    )
    for (const item of after as unknown[]) {
      const element = itemElement(type, item)
      const inner = type.listKeys === 'set' ? EMPTY_SET : changedFields(type.of ?? ANY_TYPE, old.get(element), item)
      const child = { member: !old.has(element) || inner.member, children: inner.children }
      if (!isEmpty(child)) children.set(element, child)
    }
    return { member: appeared, children }
  }
  const old = isObject(before) ? before : {}
  for (const [key, item] of Object.entries(after as JsonObject)) {
    const inner = changedFields(memberType(type, key), Object.hasOwn(old, key) ? old[key] : undefined, item)
    if (!isEmpty(inner)) children.set(`f:${key}`, inner)
  }
  return { member: appeared, children }
}

/** The live object with a configuration merged in: named fields win, the rest stays. */
export function mergeApplied(type: TypeNode, live: unknown, applied: unknown): unknown {
  if (live === undefined || isLeaf(type, applied)) return applied
  if (Array.isArray(applied)) {
    const old = Array.isArray(live) ? (live as unknown[]) : []
    const named = new Map((applied as unknown[]).map((item) => [itemElement(type, item), item]))
    const known = new Set(old.map((item) => itemElement(type, item)))
    if (type.listKeys === 'set')
      return [...old, ...(applied as unknown[]).filter((item) => !known.has(itemElement(type, item)))]
    const merged = old.map((item) => {
      const config = named.get(itemElement(type, item))
      return config === undefined ? item : mergeApplied(type.of ?? ANY_TYPE, item, config)
    })
    return [...merged, ...(applied as unknown[]).filter((item) => !known.has(itemElement(type, item)))]
  }
  const result: JsonObject = isObject(live) ? { ...live } : {}
  for (const [key, item] of Object.entries(applied as JsonObject)) {
    if (item === null) delete result[key]
    else {
      const old = Object.hasOwn(result, key) ? result[key] : undefined
      setMember(result, key, mergeApplied(memberType(type, key), old, item))
    }
  }
  return result
}

/** The value without the fields of a set; containers that lose their last member by it go too when they are in the set. */
export function removeFields(type: TypeNode, value: unknown, gone: FieldSet): unknown {
  if (isEmpty(gone)) return value
  if (Array.isArray(value)) {
    if (type.listKeys === undefined) return value
    const items: unknown[] = []
    for (const item of value as unknown[]) {
      const set = gone.children.get(itemElement(type, item))
      if (set === undefined) items.push(item)
      else if (!set.member) items.push(removeFields(type.of ?? ANY_TYPE, item, set))
    }
    return items
  }
  if (!isObject(value)) return value
  const result: JsonObject = {}
  for (const [key, item] of Object.entries(value)) {
    const set = gone.children.get(`f:${key}`)
    if (set === undefined) setMember(result, key, item)
    else if (!set.member) {
      const rest = removeFields(memberType(type, key), item, set)
      const emptied = (Array.isArray(rest) && rest.length === 0) || (isObject(rest) && Object.keys(rest).length === 0)
      if (!emptied) setMember(result, key, rest)
    }
  }
  return result
}
