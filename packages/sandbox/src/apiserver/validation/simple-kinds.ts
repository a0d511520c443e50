import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, jsonEqual, objectOf, textOf } from '../json.ts'
import { MAX_CONFIG_BYTES } from '../limits.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from './causes.ts'

/** ConfigMap and Secret: keys, encodings, immutability. */
export function validateConfig(object: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  let bytes = 0
  const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
  for (const field of ['data', 'binaryData'])
    for (const [key, value] of Object.entries(objectOf(object[field]))) {
      if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key)) causes.push(invalidValue(`${field}[${key}]`, key, rule))
      const binary = object.kind === 'Secret' || field === 'binaryData'
      const text = textOf(value)
      bytes += key.length + (binary ? Math.ceil(text.length * 0.75) : Buffer.byteLength(text))
      // Without line ends first: a pattern with them at both ends would take quadratic time.
      if (binary && !/^[A-Za-z0-9+/]*={0,2}$/.test(text.replaceAll(/\s/g, '')))
        causes.push(invalidValue(`${field}[${key}]`, '…', 'must be base64'))
    }
  if (bytes > MAX_CONFIG_BYTES)
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${MAX_CONFIG_BYTES} bytes`,
      field: 'data',
    })
  if (old?.['immutable'] === true) {
    for (const field of ['data', 'binaryData'])
      if (!jsonEqual(object[field], old[field]))
        causes.push(forbiddenValue(field, 'field is immutable when `immutable` is set'))
    if (object['immutable'] !== true)
      causes.push(forbiddenValue('immutable', 'field is immutable when `immutable` is set'))
  }
  if (old !== undefined && object.kind === 'Secret' && object['type'] !== old['type'])
    causes.push(immutable('type', object['type']))
  if (object.kind === 'Secret') causes.push(...secretTypeCauses(object))
  return causes
}

/** Keys that a Secret of a type can't do without, as far as they are fixed. */
const SECRET_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
])

function secretTypeCauses(secret: KubeObject): readonly StatusCause[] {
  const data = objectOf(secret['data'])
  const type = textOf(secret['type'])
  if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined)
    return [requiredValue('data[username]'), requiredValue('data[password]')]
  return (SECRET_KEYS.get(type) ?? [])
    .filter((key) => data[key] === undefined)
    .map((key) => requiredValue(`data[${key}]`))
}

/** Roles and bindings. */
export function validateRbac(object: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  for (const [index, rule] of arrayOf(object['rules']).entries())
    if (arrayOf(at(rule, 'verbs')).length === 0)
      causes.push(requiredValue(`rules[${index}].verbs`, 'verbs must contain at least one value'))
  if (!object.kind.endsWith('Binding')) return causes
  const role = object['roleRef']
  const kinds = object.kind === 'ClusterRoleBinding' ? ['ClusterRole'] : ['Role', 'ClusterRole']
  if (!isObject(role) || !role['name']) causes.push(requiredValue('roleRef.name'))
  else if (!kinds.includes(String(role['kind']))) causes.push(unsupportedValue('roleRef.kind', role['kind'], kinds))
  if (old !== undefined && !jsonEqual(role, old['roleRef']))
    causes.push(invalidValue('roleRef', role, 'cannot change roleRef'))
  for (const [index, subject] of arrayOf(object['subjects']).entries()) {
    const field = `subjects[${index}]`
    if (!at(subject, 'name')) causes.push(requiredValue(`${field}.name`))
    const kind = at(subject, 'kind')
    if (!['ServiceAccount', 'User', 'Group'].includes(String(kind)))
      causes.push(unsupportedValue(`${field}.kind`, kind, ['Group', 'ServiceAccount', 'User']))
    if (kind === 'ServiceAccount' && !at(subject, 'namespace')) causes.push(requiredValue(`${field}.namespace`))
  }
  return causes
}
