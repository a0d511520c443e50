import { arrayOf, isObject, type JsonObject, objectOf } from '../json.ts'
import { MAX_DEPTH } from '../limits.ts'
import { ANY_TYPE, type TypeField, type TypeNode } from '../schema/type-node.ts'

/** How a structural schema's values merge and who can own what in them. */
export function typeOfSchema(schema: JsonObject, depth = 0): TypeNode {
  if (depth > MAX_DEPTH) return ANY_TYPE
  if (schema['x-kubernetes-int-or-string'] === true) return { kind: 'intstr' }
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true
  const atomic = schema['x-kubernetes-map-type'] === 'atomic'
  switch (schema['type']) {
    case 'object': {
      const values = schema['additionalProperties']
      if (isObject(schema['properties'])) return objectType(schema['properties'], open, atomic, depth)
      if (isObject(values)) return { kind: 'map', of: typeOfSchema(values, depth + 1), atomic }
      return { kind: 'any', open: true, atomic }
    }
    case 'array': {
      const items = objectOf(schema['items'])
      const listType = schema['x-kubernetes-list-type']
      const keys = arrayOf(schema['x-kubernetes-list-map-keys']).filter((key) => typeof key === 'string')
      const listKeys = listType === 'set' ? ('set' as const) : listType === 'map' ? keys : undefined
      const keyDefaults: JsonObject = {}
      for (const key of keys) {
        const value = objectOf(objectOf(items['properties'])[key])['default']
        if (value !== undefined) keyDefaults[key] = value
      }
      return { kind: 'list', of: typeOfSchema(items, depth + 1), listKeys, keyDefaults }
    }
    case 'integer':
    case 'number':
    case 'boolean':
    case 'string':
      return { kind: schema['type'] }
    default:
      return ANY_TYPE
  }
}

function objectType(properties: JsonObject, open: boolean, atomic: boolean, depth: number): TypeNode {
  let fields: ReadonlyMap<string, TypeField> | undefined
  return {
    kind: 'object',
    open,
    atomic,
    get fields() {
      fields ??= new Map(
        Object.entries(properties).map(([name, schema]) => [name, { type: typeOfSchema(objectOf(schema), depth + 1) }]),
      )
      return fields
    },
  }
}

/** Type of a custom object: the schema's fields and Kubernetes' own metadata. */
export function typeOfCustomObject(schema: JsonObject, metadata: TypeNode): TypeNode {
  const root = typeOfSchema({ ...schema, type: 'object', properties: objectOf(schema['properties']) })
  const fields = new Map<string, TypeField>(root.fields)
  const string: TypeNode = { kind: 'string' }
  fields.set('apiVersion', { type: string }).set('kind', { type: string }).set('metadata', { type: metadata })
  return { kind: 'object', open: root.open, fields }
}
