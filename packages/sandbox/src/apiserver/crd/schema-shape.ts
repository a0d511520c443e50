import { isObject, type JsonObject, objectOf, setMember } from '../json.ts'

/** Members every embedded object keeps. */
const TYPE_META = new Set(['apiVersion', 'kind', 'metadata'])

/** Drops members that a structural schema doesn't name, in place; returns their paths. */
export function pruneUnknown(schema: JsonObject, value: unknown, path = '', isRoot = true): readonly string[] {
  const dropped: string[] = []
  if (Array.isArray(value)) {
    const items = objectOf(schema['items'])
    for (const [index, item] of value.entries()) dropped.push(...pruneUnknown(items, item, `${path}[${index}]`, false))
    return dropped
  }
  if (!isObject(value) || schema['x-kubernetes-int-or-string'] === true) return dropped
  const properties = objectOf(schema['properties'])
  const additional = schema['additionalProperties']
  const embedded = isRoot || schema['x-kubernetes-embedded-resource'] === true
  for (const [key, item] of Object.entries(value)) {
    const child = path === '' ? key : `${path}.${key}`
    if (embedded && TYPE_META.has(key)) continue
    if (Object.hasOwn(properties, key)) dropped.push(...pruneUnknown(objectOf(properties[key]), item, child, false))
    else if (isObject(additional)) dropped.push(...pruneUnknown(additional, item, child, false))
    else if (additional !== true && schema['x-kubernetes-preserve-unknown-fields'] !== true) {
      delete value[key]
      dropped.push(child)
    }
  }
  return dropped
}

/** Fills in the defaults of a structural schema, in place; nulls that can't stay count as absent. */
export function fillDefaults(schema: JsonObject, value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) fillDefaults(objectOf(schema['items']), item)
    return
  }
  if (!isObject(value)) return
  const properties = objectOf(schema['properties'])
  for (const [key, childSchema] of Object.entries(properties)) {
    const child = objectOf(childSchema)
    const present = Object.hasOwn(value, key)
    if (present && value[key] === null && child['nullable'] !== true) {
      if (child['default'] === undefined) delete value[key]
      else setMember(value, key, structuredClone(child['default']))
    } else if (!present && child['default'] !== undefined) setMember(value, key, structuredClone(child['default']))
    if (Object.hasOwn(value, key)) fillDefaults(child, value[key])
  }
  const additional = schema['additionalProperties']
  if (!isObject(additional)) return
  for (const [key, item] of Object.entries(value)) if (!Object.hasOwn(properties, key)) fillDefaults(additional, item)
}
