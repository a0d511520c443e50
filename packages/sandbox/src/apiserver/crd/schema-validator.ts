import { arrayOf, isObject, type JsonObject, jsonEqual, objectOf } from '../json.ts'
import { MAX_CAUSES, MAX_DEPTH } from '../limits.ts'
import type { StatusCause } from '../status-error.ts'
import { duplicateValue, invalidValue, requiredValue, unsupportedValue } from '../validation/causes.ts'
import type { CelRules } from './cel-rules.ts'
import { matchesFormat } from './formats.ts'

interface Visit {
  readonly schema: JsonObject
  readonly value: unknown
  readonly old: unknown
  readonly path: string
  readonly depth: number
}

/** Validates against an OpenAPI v3 schema, with Kubernetes' extensions and its words. */
export class SchemaValidator {
  readonly #rules: CelRules
  readonly #patterns = new Map<string, RegExp | undefined>()

  constructor(rules: CelRules) {
    this.#rules = rules
  }

  validate(schema: JsonObject, value: unknown, old: unknown): readonly StatusCause[] {
    const causes: StatusCause[] = []
    this.#visit({ schema, value, old, path: '', depth: 0 }, causes)
    // Rules assume values of the right shape, so they wait for the schema.
    if (causes.length === 0) this.#rulesOf({ schema, value, old, path: '', depth: 0 }, causes)
    return causes
  }

  #visit(visit: Visit, causes: StatusCause[]): void {
    const { schema, value, old, path, depth } = visit
    if (causes.length >= MAX_CAUSES) return
    // What was stored before and didn't change may stay, even if the schema has become stricter.
    if (old !== undefined && jsonEqual(value, old)) return
    if (depth > MAX_DEPTH) {
      causes.push(invalidValue(path, '…', `nested deeper than ${MAX_DEPTH}`))
      return
    }
    if (value === null && schema['nullable'] === true) return
    const type = typeCause(schema, value, path)
    if (type !== undefined) {
      causes.push(type)
      return
    }
    this.#enumeration(visit, causes)
    if (typeof value === 'string') this.#string(schema, value, path, causes)
    if (typeof value === 'number') numberCauses(schema, value, path, causes)
    if (Array.isArray(value)) this.#list(visit, value as unknown[], causes)
    else if (isObject(value)) this.#object(visit, value, causes)
    this.#combinations(visit, causes)
  }

  #enumeration({ schema, value, path }: Visit, causes: StatusCause[]): void {
    const allowed = schema['enum']
    if (Array.isArray(allowed) && !allowed.some((item) => jsonEqual(item, value)))
      causes.push(unsupportedValue(path, value, allowed))
  }

  #string(schema: JsonObject, value: string, path: string, causes: StatusCause[]): void {
    const { minLength, maxLength, pattern, format } = schema
    const length = Array.from(value).length
    if (typeof minLength === 'number' && length < minLength)
      causes.push(invalidValue(path, value, `${path} in body should be at least ${minLength} chars long`))
    if (typeof maxLength === 'number' && length > maxLength) {
      causes.push({
        reason: 'FieldValueTooLong',
        message: `Too long: may not be more than ${maxLength} bytes`,
        field: path,
      })
      return
    }
    if (typeof pattern === 'string') {
      const expression = this.#pattern(pattern)
      if (expression === undefined)
        causes.push(invalidValue(path, value, `the pattern ${pattern} of the schema can't be used here`))
      else if (!expression.test(value))
        causes.push(invalidValue(path, value, `${path} in body should match '${pattern}'`))
    }
    if (typeof format === 'string' && !matchesFormat(format, value))
      causes.push(invalidValue(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`))
  }

  #pattern(text: string): RegExp | undefined {
    if (!this.#patterns.has(text)) {
      let expression: RegExp | undefined
      try {
        expression = new RegExp(text, 'u')
      } catch {
        try {
          expression = new RegExp(text)
        } catch {
          expression = undefined
        }
      }
      this.#patterns.set(text, expression)
    }
    return this.#patterns.get(text)
  }

  #list(visit: Visit, value: readonly unknown[], causes: StatusCause[]): void {
    const { schema, old, path, depth } = visit
    const { minItems, maxItems } = schema
    if (typeof minItems === 'number' && value.length < minItems)
      causes.push(invalidValue(path, value.length, `${path} in body should have at least ${minItems} items`))
    if (typeof maxItems === 'number' && value.length > maxItems) {
      causes.push({
        reason: 'FieldValueTooMany',
        message: `Too many: ${value.length}: must have at most ${maxItems} items`,
        field: path,
      })
      return
    }
    const keys = listKeysOf(schema)
    if (keys !== undefined) duplicates(value, keys, path, causes)
    const items = objectOf(schema['items'])
    const before = arrayOf(old)
    for (const [index, item] of value.entries()) {
      const previous = keys === undefined ? undefined : before.find((other) => keyOf(other, keys) === keyOf(item, keys))
      this.#visit({ schema: items, value: item, old: previous, path: `${path}[${index}]`, depth: depth + 1 }, causes)
    }
  }

  #object(visit: Visit, value: JsonObject, causes: StatusCause[]): void {
    const { schema, old, path, depth } = visit
    const { minProperties, maxProperties } = schema
    const count = Object.keys(value).length
    if (typeof minProperties === 'number' && count < minProperties)
      causes.push(invalidValue(path, count, `${path} in body should have at least ${minProperties} properties`))
    if (typeof maxProperties === 'number' && count > maxProperties)
      causes.push({
        reason: 'FieldValueTooMany',
        message: `Too many: ${count}: must have at most ${maxProperties} items`,
        field: path,
      })
    for (const name of arrayOf(schema['required']))
      if (typeof name === 'string' && (!Object.hasOwn(value, name) || value[name] === undefined))
        causes.push(requiredValue(join(path, name)))
    const properties = objectOf(schema['properties'])
    const additional = schema['additionalProperties']
    const before = objectOf(old)
    for (const [key, item] of Object.entries(value)) {
      const child = Object.hasOwn(properties, key) ? properties[key] : additional
      if (!isObject(child)) continue
      const previous = Object.hasOwn(before, key) ? before[key] : undefined
      this.#visit({ schema: child, value: item, old: previous, path: join(path, key), depth: depth + 1 }, causes)
    }
  }

  #combinations(visit: Visit, causes: StatusCause[]): void {
    const { schema, value, path } = visit
    const passes = (sub: unknown): boolean => {
      const inner: StatusCause[] = []
      this.#visit({ ...visit, schema: objectOf(sub), old: undefined, depth: visit.depth + 1 }, inner)
      return inner.length === 0
    }
    const shown = isObject(value) || Array.isArray(value) ? '' : value
    const name = path === '' ? '<nil>' : path
    for (const sub of arrayOf(schema['allOf']))
      this.#visit({ ...visit, schema: objectOf(sub), depth: visit.depth + 1 }, causes)
    const any = arrayOf(schema['anyOf'])
    if (any.length > 0 && !any.some(passes))
      causes.push(invalidValue(path, shown, `"${name}" must validate at least one schema (anyOf)`))
    const one = arrayOf(schema['oneOf'])
    const valid = one.filter(passes).length
    if (one.length > 0 && valid !== 1) {
      const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`
      causes.push(invalidValue(path, shown, `"${name}" must validate one and only one schema (oneOf). ${found}`))
    }
    if (isObject(schema['not']) && passes(schema['not']))
      causes.push(invalidValue(path, shown, `"${name}" must not validate the schema (not)`))
  }

  #rulesOf(visit: Visit, causes: StatusCause[]): void {
    const { schema, value, old, path, depth } = visit
    if (causes.length >= MAX_CAUSES || value === null || value === undefined || depth > MAX_DEPTH) return
    if (Array.isArray(schema['x-kubernetes-validations'])) causes.push(...this.#rules.check(schema, value, old, path))
    if (Array.isArray(value)) {
      const items = objectOf(schema['items'])
      const keys = listKeysOf(schema)
      const before = arrayOf(old)
      for (const [index, item] of (value as unknown[]).entries()) {
        const previous =
          keys === undefined ? undefined : before.find((other) => keyOf(other, keys) === keyOf(item, keys))
        this.#rulesOf(
          { schema: items, value: item, old: previous, path: `${path}[${index}]`, depth: depth + 1 },
          causes,
        )
      }
    } else if (isObject(value)) {
      const properties = objectOf(schema['properties'])
      for (const [key, item] of Object.entries(value)) {
        const child = Object.hasOwn(properties, key) ? properties[key] : schema['additionalProperties']
        if (!isObject(child)) continue
        const before = objectOf(old)
        const previous = Object.hasOwn(before, key) ? before[key] : undefined
        this.#rulesOf({ schema: child, value: item, old: previous, path: join(path, key), depth: depth + 1 }, causes)
      }
    }
  }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

function listKeysOf(schema: JsonObject): readonly string[] | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return []
  if (schema['x-kubernetes-list-type'] !== 'map') return undefined
  return arrayOf(schema['x-kubernetes-list-map-keys']).filter((key) => typeof key === 'string')
}

function keyOf(item: unknown, keys: readonly string[]): string {
  if (keys.length === 0 || !isObject(item)) return JSON.stringify(item)
  return JSON.stringify(keys.map((key) => item[key]))
}

function duplicates(items: readonly unknown[], keys: readonly string[], path: string, causes: StatusCause[]): void {
  const seen = new Set<string>()
  for (const [index, item] of items.entries()) {
    const key = keyOf(item, keys)
    if (seen.has(key)) causes.push(duplicateValue(`${path}[${index}]`, keys.length === 0 ? item : JSON.parse(key)))
    seen.add(key)
  }
}

function typeCause(schema: JsonObject, value: unknown, path: string): StatusCause | undefined {
  const wanted = schema['type']
  if (schema['x-kubernetes-int-or-string'] === true) {
    const fits = typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value))
    return fits ? undefined : wrongType(path, value, 'integer or string')
  }
  if (typeof wanted !== 'string') return undefined
  const fits: Record<string, boolean> = {
    object: isObject(value),
    array: Array.isArray(value),
    string: typeof value === 'string',
    boolean: typeof value === 'boolean',
    number: typeof value === 'number',
    integer: typeof value === 'number' && Number.isInteger(value),
  }
  return fits[wanted] === false ? wrongType(path, value, wanted) : undefined
}

function wrongType(path: string, value: unknown, wanted: string): StatusCause {
  const is =
    value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value
  return {
    reason: 'FieldValueTypeInvalid',
    message: `Invalid value: ${JSON.stringify(is)}: ${path} in body must be of type ${wanted}: ${JSON.stringify(is)}`,
    field: path,
  }
}

function numberCauses(schema: JsonObject, value: number, path: string, causes: StatusCause[]): void {
  const { minimum, maximum, multipleOf } = schema
  if (typeof minimum === 'number') {
    if (schema['exclusiveMinimum'] === true ? value <= minimum : value < minimum) {
      const words = schema['exclusiveMinimum'] === true ? 'greater than' : 'greater than or equal to'
      causes.push(invalidValue(path, value, `${path} in body should be ${words} ${minimum}`))
    }
  }
  if (typeof maximum === 'number') {
    if (schema['exclusiveMaximum'] === true ? value >= maximum : value > maximum) {
      const words = schema['exclusiveMaximum'] === true ? 'less than' : 'less than or equal to'
      causes.push(invalidValue(path, value, `${path} in body should be ${words} ${maximum}`))
    }
  }
  if (typeof multipleOf === 'number' && !Number.isInteger(value / multipleOf))
    causes.push(invalidValue(path, value, `${path} in body should be a multiple of ${multipleOf}`))
  const { format } = schema
  if (format === 'int32' && Math.abs(value + 0.5) > 2 ** 31)
    causes.push(invalidValue(path, value, `${path} in body must be of type int32: ${JSON.stringify(String(value))}`))
}
