import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf, textOf } from '../json.ts'
import { MAX_DEPTH } from '../limits.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import { timestamp } from '../resources/object-meta.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from '../validation/causes.ts'
import { isDnsLabel, isDnsSubdomain, LABEL_RULE, SUBDOMAIN_RULE } from '../validation/names.ts'

/** Rules for CustomResourceDefinitions themselves. */
export function crdRules(now: () => number): KindRules {
  return {
    defaults(crd, old) {
      const spec = objectOf(crd['spec'])
      crd['spec'] = spec
      const names = objectOf(spec['names'])
      spec['names'] = names
      if (typeof names['kind'] === 'string') {
        names['singular'] ??= names['kind'].toLowerCase()
        names['listKind'] ??= `${names['kind']}List`
      }
      spec['conversion'] ??= { strategy: 'None' }
      const stored = arrayOf(spec['versions']).find((version) => at(version, 'storage') === true)
      if (old === undefined) crd['status'] = acceptedStatus(names, textOf(at(stored, 'name') ?? ''), timestamp(now()))
    },
    validate: (crd, old) => validateCrd(crd, old),
  }
}

function acceptedStatus(names: JsonObject, storedVersion: string, time: string): JsonObject {
  const condition = (type: string, reason: string, message: string): JsonObject => {
    return { type, status: 'True', lastTransitionTime: time, reason, message }
  }
  return {
    acceptedNames: structuredClone(names),
    conditions: [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
    storedVersions: [storedVersion],
  }
}

function validateCrd(crd: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(crd['spec'])
  const names = objectOf(spec['names'])
  const { group, scope } = spec
  if (typeof group !== 'string' || !isDnsSubdomain(group) || !group.includes('.'))
    causes.push(invalidValue('spec.group', group, `should be a domain with at least one dot; ${SUBDOMAIN_RULE}`))
  if (scope !== 'Namespaced' && scope !== 'Cluster')
    causes.push(unsupportedValue('spec.scope', scope, ['Cluster', 'Namespaced']))
  for (const key of ['plural', 'kind']) if (!names[key]) causes.push(requiredValue(`spec.names.${key}`))
  for (const key of ['plural', 'singular'])
    if (typeof names[key] === 'string' && !isDnsLabel(names[key]))
      causes.push(invalidValue(`spec.names.${key}`, names[key], LABEL_RULE))
  const expected = `${String(names['plural'])}.${String(group)}`
  if (crd.metadata.name !== expected)
    causes.push(invalidValue('metadata.name', crd.metadata.name, 'must be spec.names.plural+"."+spec.group'))
  if (typeof group === 'string' && (group.endsWith('.k8s.io') || group.endsWith('.kubernetes.io')))
    if (!crd.metadata.annotations?.['api-approved.kubernetes.io'])
      causes.push(
        requiredValue(
          'metadata.annotations[api-approved.kubernetes.io]',
          'protected groups must have approval annotation "api-approved.kubernetes.io"',
        ),
      )
  const versions = arrayOf(spec['versions'])
  if (versions.length === 0) causes.push(requiredValue('spec.versions', 'must have at least one version'))
  if (versions.length > 0 && versions.filter((version) => at(version, 'storage') === true).length !== 1)
    causes.push(invalidValue('spec.versions', '…', 'must have exactly one version marked as storage version'))
  for (const [index, version] of versions.entries()) {
    const field = `spec.versions[${index}]`
    const name = at(version, 'name')
    if (typeof name !== 'string' || !isDnsLabel(name)) causes.push(invalidValue(`${field}.name`, name, LABEL_RULE))
    const schema = at(version, 'schema', 'openAPIV3Schema')
    if (!isObject(schema)) causes.push(requiredValue(`${field}.schema.openAPIV3Schema`, 'schemas are required'))
    else {
      if (schema['type'] !== 'object')
        causes.push(invalidValue(`${field}.schema.openAPIV3Schema.type`, schema['type'], 'must be object at the root'))
      causes.push(...structuralCauses(schema, `${field}.schema.openAPIV3Schema`, 0))
    }
  }
  const strategy = at(spec, 'conversion', 'strategy')
  if (strategy !== 'None') causes.push(unsupportedValue('spec.conversion.strategy', strategy, ['None']))
  if (old !== undefined) {
    const before = objectOf(old['spec'])
    if (before['group'] !== group) causes.push(immutable('spec.group', group))
    if (before['scope'] !== scope) causes.push(immutable('spec.scope', scope))
    for (const key of ['plural', 'kind'])
      if (at(before, 'names', key) !== names[key]) causes.push(immutable(`spec.names.${key}`, names[key]))
  }
  return causes
}

/** What makes a schema structural, as far as pruning and defaulting depend on it. */
function structuralCauses(schema: JsonObject, path: string, depth: number): readonly StatusCause[] {
  if (depth > MAX_DEPTH) return [invalidValue(path, '…', `nested deeper than ${MAX_DEPTH}`)]
  const causes: StatusCause[] = []
  const typed =
    schema['type'] !== undefined ||
    schema['x-kubernetes-int-or-string'] === true ||
    schema['x-kubernetes-preserve-unknown-fields'] === true
  if (!typed) causes.push(requiredValue(`${path}.type`, 'must not be empty for specified object fields'))
  if (schema['$ref'] !== undefined) causes.push(forbiddenValue(`${path}.$ref`, '$ref is not supported'))
  if (isObject(schema['properties']) && isObject(schema['additionalProperties']))
    causes.push(
      forbiddenValue(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    )
  if (schema['type'] === 'array' && !isObject(schema['items']))
    causes.push(requiredValue(`${path}.items`, 'must be specified'))
  for (const [key, child] of Object.entries(objectOf(schema['properties'])))
    if (isObject(child)) causes.push(...structuralCauses(child, `${path}.properties[${key}]`, depth + 1))
  for (const key of ['items', 'additionalProperties'])
    if (isObject(schema[key])) causes.push(...structuralCauses(schema[key], `${path}.${key}`, depth + 1))
  return causes
}
