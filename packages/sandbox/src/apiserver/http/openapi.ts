import { createHash } from 'node:crypto'
import type { JsonObject } from '../json.ts'
import { objectOf } from '../json.ts'
import type { ResourceDefinition } from '../resources/resource-definition.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'
import { jsonFields } from '../schema/builtin-types.ts'
import type { TypeNode } from '../schema/type-node.ts'
import { apiPaths } from './discovery.ts'

/** GET /openapi/v3: one document a group and version, its hash changing with what is served. */
export function openApiIndex(registry: ResourceRegistry): JsonObject {
  const paths: JsonObject = {}
  for (const { path } of apiPaths(registry)) {
    const hash = createHash('sha256').update(`${path} ${registry.generation}`).digest('hex').slice(0, 32).toUpperCase()
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
  }
  return { paths }
}

/** GET /openapi/v3/…: enough for kubectl's apply and explain. */
export function openApiDocument(registry: ResourceRegistry, group: string, version: string): JsonObject {
  const paths: JsonObject = {}
  const schemas: JsonObject = {}
  for (const definition of registry.all()) {
    if (definition.group !== group || !definition.versions.includes(version)) continue
    const gvk = { group, version, kind: definition.kind }
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
    const scope = definition.namespaced ? '/namespaces/{namespace}' : ''
    const name = schemaName(definition, version)
    paths[`${root}${scope}/${definition.resource}`] = {
      get: operation('list', gvk, name),
      post: operation('post', gvk, name),
    }
    paths[`${root}${scope}/${definition.resource}/{name}`] = {
      get: operation('get', gvk, name),
      put: operation('put', gvk, name),
      patch: operation('patch', gvk, name),
      delete: operation('delete', gvk, name),
    }
    schemas[name] = objectSchema(definition, version, gvk, schemas)
  }
  return { openapi: '3.0.0', info: { title: 'Ambit sandbox', version: 'v1' }, paths, components: { schemas } }
}

function operation(action: string, gvk: JsonObject, schema: string): JsonObject {
  const parameter = (name: string): JsonObject => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })
  return {
    parameters:
      action === 'get' || action === 'list'
        ? []
        : ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map(parameter),
    responses: { 200: { description: 'OK', content: { 'application/json': { schema: reference(schema) } } } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
  }
}

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` }
}

function schemaName(definition: ResourceDefinition, version: string): string {
  const type = definition.custom === undefined ? definition.type(version).name : undefined
  if (type !== undefined) return builtinName(type)
  return `${definition.group.split('.').toReversed().join('.')}.${version}.${definition.kind}`
}

function builtinName(type: string): string {
  const [prefix = '', name] = type.includes('.') ? type.split('.') : ['core', type]
  if (prefix === 'meta') return `io.k8s.apimachinery.pkg.apis.meta.v1.${name}`
  return `io.k8s.api.${prefix}.v1.${name}`
}

function objectSchema(
  definition: ResourceDefinition,
  version: string,
  gvk: JsonObject,
  schemas: JsonObject,
): JsonObject {
  const marks = { 'x-kubernetes-group-version-kind': [gvk] }
  const custom = definition.custom?.(version)
  if (custom === undefined) return { ...fieldsSchema(definition.type(version), schemas, true), ...marks }
  const metadata = typeSchema({ kind: 'object', ...builtinMeta(definition, version) }, schemas)
  const properties = {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    ...objectOf(custom.schema['properties']),
    metadata,
  }
  return { ...custom.schema, properties, ...marks }
}

function builtinMeta(definition: ResourceDefinition, version: string): Partial<TypeNode> {
  const metadata = jsonFields(definition.type(version)).get('metadata')?.type
  return metadata === undefined ? {} : { name: metadata.name, fields: metadata.fields }
}

function fieldsSchema(type: TypeNode, schemas: JsonObject, isRoot: boolean): JsonObject {
  const properties: JsonObject = isRoot ? { apiVersion: { type: 'string' }, kind: { type: 'string' } } : {}
  for (const [name, field] of jsonFields(type)) properties[name] = typeSchema(field.type, schemas)
  return { type: 'object', properties }
}

function typeSchema(type: TypeNode, schemas: JsonObject): JsonObject {
  switch (type.kind) {
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { type: type.kind }
    case 'bytes':
      return { type: 'string', format: 'byte' }
    case 'time':
      return { type: 'string', format: 'date-time' }
    case 'quantity':
      return { oneOf: [{ type: 'string' }, { type: 'number' }] }
    case 'intstr':
      return { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] }
    case 'list': {
      const listType = type.listKeys === 'set' ? 'set' : type.listKeys === undefined ? 'atomic' : 'map'
      return {
        type: 'array',
        items: type.of === undefined ? {} : typeSchema(type.of, schemas),
        'x-kubernetes-list-type': listType,
        ...(listType === 'map' ? { 'x-kubernetes-list-map-keys': type.listKeys } : {}),
        ...(type.mergeKey === undefined
          ? {}
          : { 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-patch-merge-key': type.mergeKey }),
      }
    }
    case 'map':
      return { type: 'object', additionalProperties: type.of === undefined ? {} : typeSchema(type.of, schemas) }
    case 'object': {
      if (type.name === undefined) return { type: 'object' }
      const name = builtinName(type.name)
      if (schemas[name] === undefined) {
        // Set before its fields are: types refer to themselves.
        schemas[name] = {}
        schemas[name] = fieldsSchema(type, schemas, false)
      }
      return { allOf: [reference(name)], default: {} }
    }
    case 'raw':
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true }
    default:
      return type.kind satisfies never
  }
}
