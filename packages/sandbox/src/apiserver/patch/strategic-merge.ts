import { arrayOf, isObject, type JsonObject, jsonEqual, setMember } from '../json.ts'
import { jsonFields } from '../schema/builtin-types.ts'
import { withTypeMeta } from '../schema/check-fields.ts'
import { ANY_TYPE, type TypeNode } from '../schema/type-node.ts'
import { badRequest } from '../status-error.ts'

const ORDER = '$setElementOrder/'
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/'

/** Kubernetes' strategic merge patch of a built-in kind: lists merge by their key, `$` members direct. */
export function applyStrategicMerge(type: TypeNode, target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw badRequest('a strategic merge patch must be an object')
  return mergeObject(withTypeMeta(type), isObject(target) ? target : {}, patch)
}

function memberType(type: TypeNode, key: string): TypeNode {
  if (type.kind === 'map') return type.of ?? ANY_TYPE
  return jsonFields(type).get(key)?.type ?? ANY_TYPE
}

function mergeObject(type: TypeNode, target: JsonObject, patch: JsonObject): JsonObject {
  const directive = patch['$patch']
  if (directive === 'replace') return clean(patch)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`Unknown patch type found: ${JSON.stringify(directive)}; known are replace, delete and merge`)
  let result: JsonObject = { ...target }
  const retain = patch['$retainKeys']
  if (retain !== undefined) {
    const kept = new Set(arrayOf(retain))
    for (const key of Object.keys(patch))
      if (!key.startsWith('$') && patch[key] !== null && !kept.has(key))
        throw badRequest(`$retainKeys lacks ${key}, which the patch sets`)
    result = Object.fromEntries(Object.entries(result).filter(([key]) => kept.has(key)))
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(DELETE_PRIMITIVES)) {
      const name = key.slice(DELETE_PRIMITIVES.length)
      const gone = arrayOf(value)
      result[name] = arrayOf(result[name]).filter((item) => !gone.some((other) => jsonEqual(item, other)))
    }
    if (key.startsWith('$')) continue
    if (value === null) delete result[key]
    else setMember(result, key, mergeValue(memberType(type, key), result[key], value))
  }
  for (const [key, value] of Object.entries(patch)) {
    if (!key.startsWith(ORDER)) continue
    const name = key.slice(ORDER.length)
    if (Array.isArray(result[name]))
      result[name] = ordered(memberType(type, name), result[name], arrayOf(value), arrayOf(patch[name]))
  }
  return result
}

function mergeValue(type: TypeNode, target: unknown, patch: unknown): unknown {
  if (Array.isArray(patch)) return mergeList(type, arrayOf(target), patch)
  if (!isObject(patch)) return patch
  return mergeObject(type, isObject(target) ? target : {}, patch)
}

function mergeList(type: TypeNode, target: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  const { mergeKey } = type
  if (mergeKey === undefined) return patch.filter((item) => !isDirective(item, undefined)).map(clean)
  if (mergeKey === '') {
    const added = patch.filter((item) => !target.some((other) => jsonEqual(item, other)))
    return [...target, ...added]
  }
  if (patch.some((item) => isDirective(item, 'replace')))
    return patch.filter((item) => !isDirective(item, 'replace')).map(clean)
  const result: unknown[] = [...target]
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`an item of a list merged by ${mergeKey} must be an object`)
    if (item[mergeKey] === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`)
    const index = result.findIndex((other) => isObject(other) && jsonEqual(other[mergeKey], item[mergeKey]))
    if (item['$patch'] === 'delete') {
      if (index >= 0) result.splice(index, 1)
    } else if (index >= 0) result[index] = mergeValue(type.of ?? ANY_TYPE, result[index], item)
    else result.push(mergeObject(type.of ?? ANY_TYPE, {}, item))
  }
  return result
}

function isDirective(item: unknown, directive: string | undefined): boolean {
  if (!isObject(item) || item['$patch'] === undefined) return false
  return directive === undefined || item['$patch'] === directive
}

/** Items named in the order come in it; the others stay behind the neighbour they had. */
function ordered(
  type: TypeNode,
  items: readonly unknown[],
  order: readonly unknown[],
  patched: readonly unknown[],
): readonly unknown[] {
  const { mergeKey } = type
  if (mergeKey === undefined) return items
  const keyOf = (item: unknown): unknown => (mergeKey !== '' && isObject(item) ? item[mergeKey] : item)
  const rank = new Map(order.map((item, index) => [JSON.stringify(keyOf(item)), index]))
  for (const item of patched)
    if (!isDirective(item, undefined) && !rank.has(JSON.stringify(keyOf(item))))
      rank.set(JSON.stringify(keyOf(item)), rank.size)
  let last = -1
  const ranked = items.map((item, index) => {
    const own = rank.get(JSON.stringify(keyOf(item)))
    if (own !== undefined) last = own
    return { item, rank: own ?? last, index, named: own !== undefined }
  })
  ranked.sort((a, b) => a.rank - b.rank || Number(b.named) - Number(a.named) || a.index - b.index)
  return ranked.map((entry) => entry.item)
}

/** A value of a patch without its directives. */
function clean(value: unknown): JsonObject
function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => clean(item))
  if (!isObject(value)) return value
  const result: JsonObject = {}
  for (const [key, item] of Object.entries(value))
    if (!key.startsWith('$') && item !== null) setMember(result, key, clean(item))
  return result
}
