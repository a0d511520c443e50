import { isObject, type JsonObject, objectOf } from '../json.ts'

/** Words a CEL expression can't use as they are; Kubernetes escapes them as `__word__`. */
export const RESERVED: ReadonlySet<string> = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
])

function escapeName(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__')
}

/** A JSON value as CEL sees it by its schema: integers as 64-bit, property names escaped, map keys as they are. */
export function toCel(schema: JsonObject, value: unknown): unknown {
  if (typeof value === 'number') {
    if (schema['type'] === 'number') return value
    return Number.isSafeInteger(value) ? BigInt(value) : value
  }
  if (Array.isArray(value)) return value.map((item: unknown) => toCel(objectOf(schema['items']), item))
  if (!isObject(value)) return value
  const properties = objectOf(schema['properties'])
  const additional = objectOf(schema['additionalProperties'])
  const result: JsonObject = {}
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') continue
    const known = Object.hasOwn(properties, key)
    result[known ? escapeName(key) : key] = toCel(known ? objectOf(properties[key]) : additional, item)
  }
  return result
}
