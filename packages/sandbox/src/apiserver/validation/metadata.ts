import type { KubeObject } from '../contract.types.ts'
import { isObject } from '../json.ts'
import { MAX_ANNOTATION_BYTES } from '../limits.ts'
import type { ResourceDefinition } from '../resources/resource-definition.ts'
import type { StatusCause } from '../status-error.ts'
import { invalidValue, requiredValue } from './causes.ts'
import {
  isDnsLabel,
  isDnsSubdomain,
  isLabelValue,
  isQualifiedName,
  LABEL_RULE,
  LABEL_VALUE_RULE,
  QUALIFIED_RULE,
  SUBDOMAIN_RULE,
} from './names.ts'

const LABEL_NAMED = new Set(['Namespace', 'Service'])
const PATH_NAMED = new Set(['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'APIService'])

/** Name, labels, annotations, finalizers and owners of any object. */
export function validateMetadata(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject | undefined,
): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const { name = '', labels, annotations, finalizers, ownerReferences } = object.metadata as Record<string, unknown>
  if (old === undefined) causes.push(...nameCauses(definition, String(name)))
  if (labels !== undefined && !isObject(labels)) causes.push(invalidValue('metadata.labels', labels, 'must be a map'))
  for (const [key, value] of Object.entries(isObject(labels) ? labels : {})) {
    if (!isQualifiedName(key)) causes.push(invalidValue('metadata.labels', key, QUALIFIED_RULE))
    if (!isLabelValue(value)) causes.push(invalidValue('metadata.labels', value, LABEL_VALUE_RULE))
  }
  if (annotations !== undefined && !isObject(annotations))
    causes.push(invalidValue('metadata.annotations', annotations, 'must be a map'))
  let size = 0
  for (const [key, value] of Object.entries(isObject(annotations) ? annotations : {})) {
    if (!isQualifiedName(key.toLowerCase())) causes.push(invalidValue('metadata.annotations', key, QUALIFIED_RULE))
    if (typeof value !== 'string') causes.push(invalidValue(`metadata.annotations.${key}`, value, 'must be a string'))
    size += key.length + String(value).length
  }
  if (size > MAX_ANNOTATION_BYTES)
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
      field: 'metadata.annotations',
    })
  if (finalizers !== undefined && !Array.isArray(finalizers))
    causes.push(invalidValue('metadata.finalizers', finalizers, 'must be a list'))
  for (const [index, owner] of (Array.isArray(ownerReferences) ? (ownerReferences as unknown[]) : []).entries())
    for (const field of ['apiVersion', 'kind', 'name', 'uid'])
      if (!isObject(owner) || typeof owner[field] !== 'string' || owner[field] === '')
        causes.push(requiredValue(`metadata.ownerReferences[${index}].${field}`))
  return causes
}

function nameCauses(definition: ResourceDefinition, name: string): readonly StatusCause[] {
  if (PATH_NAMED.has(definition.kind))
    return name === '.' || name === '..' || /[/%]/.test(name)
      ? [invalidValue('metadata.name', name, 'may not be ".", ".." or contain "/" or "%"')]
      : []
  if (LABEL_NAMED.has(definition.kind) && definition.group === '')
    return isDnsLabel(name) ? [] : [invalidValue('metadata.name', name, LABEL_RULE)]
  return isDnsSubdomain(name) ? [] : [invalidValue('metadata.name', name, SUBDOMAIN_RULE)]
}
