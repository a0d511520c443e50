import { isObject } from '../json.ts'
import { MAX_DEPTH } from '../limits.ts'

/** A set of field paths as a tree; elements are written as in FieldsV1: `f:name`, `k:{…}`, `v:…`. */
export interface FieldSet {
  readonly member: boolean
  readonly children: ReadonlyMap<string, FieldSet>
}

export const EMPTY_SET: FieldSet = { member: false, children: new Map() }
export const LEAF: FieldSet = { member: true, children: new Map() }

/** Nothing in it. */
export function isEmpty(set: FieldSet): boolean {
  return !set.member && set.children.size === 0
}

function make(member: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  return { member, children: new Map([...children].filter(([, child]) => !isEmpty(child))) }
}

function keysOf(a: FieldSet, b: FieldSet): readonly string[] {
  return [...new Set([...a.children.keys(), ...b.children.keys()])]
}

const childOf = (set: FieldSet, key: string): FieldSet => set.children.get(key) ?? EMPTY_SET

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b
  if (isEmpty(b)) return a
  const children = keysOf(a, b).map((key) => [key, union(childOf(a, key), childOf(b, key))] as const)
  return make(a.member || b.member, children)
}

/** Paths of `a` that aren't in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a
  const children = [...a.children].map(([key, child]) => [key, difference(child, childOf(b, key))] as const)
  return make(a.member && !b.member, children)
}

/** Like difference, and whatever lies below a member of `b` goes too. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  if (b.member) return EMPTY_SET
  if (isEmpty(b)) return a
  const children = [...a.children].map(([key, child]) => [key, differenceBelow(child, childOf(b, key))] as const)
  return make(a.member, children)
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = [...a.children].map(([key, child]) => [key, intersection(child, childOf(b, key))] as const)
  return make(a.member && b.member, children)
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  return isEmpty(difference(a, b)) && isEmpty(difference(b, a))
}

/** Only what lies under these top-level elements. */
export function only(set: FieldSet, keys: readonly string[]): FieldSet {
  return make(
    false,
    [...set.children].filter(([key]) => keys.includes(key)),
  )
}

/** All but what lies at or under these paths. */
export function without(set: FieldSet, paths: readonly (readonly string[])[]): FieldSet {
  let gone: FieldSet = EMPTY_SET
  for (const path of paths) {
    let node: FieldSet = LEAF
    for (const key of path.toReversed()) node = { member: false, children: new Map([[key, node]]) }
    gone = union(gone, node)
  }
  return differenceBelow(set, gone)
}

/** The FieldsV1 form. */
export function toFieldsV1(set: FieldSet): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  if (set.member && set.children.size > 0) result['.'] = {}
  for (const key of [...set.children.keys()].sort()) result[key] = toFieldsV1(childOf(set, key))
  return result
}

/** Reads FieldsV1; undefined when it isn't that. */
export function fromFieldsV1(value: unknown, depth = 0): FieldSet | undefined {
  if (!isObject(value) || depth > MAX_DEPTH) return undefined
  const children = new Map<string, FieldSet>()
  let member = false
  for (const [key, item] of Object.entries(value)) {
    if (key === '.') {
      member = true
      continue
    }
    if (!/^[fkvi]:/.test(key)) return undefined
    const child = fromFieldsV1(item, depth + 1)
    if (child === undefined) return undefined
    children.set(key, isEmpty(child) ? LEAF : child)
  }
  return { member, children }
}

/** Paths as a person reads them: `.spec.containers[name="a"].image`. */
export function readablePaths(set: FieldSet, prefix = ''): readonly string[] {
  const paths: string[] = set.member ? [prefix] : []
  for (const [key, child] of set.children) paths.push(...readablePaths(child, prefix + readable(key)))
  return paths
}

function readable(element: string): string {
  const text = element.slice(2)
  if (element.startsWith('f:')) return `.${text}`
  if (element.startsWith('v:')) return `[=${text}]`
  if (element.startsWith('i:')) return `[${text}]`
  try {
    const keys = Object.entries(JSON.parse(text) as Record<string, unknown>)
    return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`
  } catch {
    return `[${text}]`
  }
}
