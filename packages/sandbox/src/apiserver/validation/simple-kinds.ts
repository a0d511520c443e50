import { isIP } from 'node:net'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, jsonEqual, objectOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { duplicateValue, forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { isDnsLabel, isDnsSubdomain, LABEL_RULE } from './names.ts'
import { isPort } from './pods.ts'

const SERVICE_TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']

export function validateService(service: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(service['spec'])
  const ports = arrayOf(spec['ports'])
  if (!SERVICE_TYPES.includes(String(spec['type'])))
    causes.push(unsupportedValue('spec.type', spec['type'], SERVICE_TYPES))
  if (spec['type'] === 'ExternalName') {
    if (typeof spec['externalName'] !== 'string' || !isDnsSubdomain(spec['externalName'].replace(/\.$/, '')))
      causes.push(requiredValue('spec.externalName', 'a DNS name'))
  } else if (ports.length === 0 && spec['clusterIP'] !== 'None') causes.push(requiredValue('spec.ports'))
  const names = new Set<unknown>()
  const pairs = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const field = `spec.ports[${index}]`
    const { name, port: number, protocol, targetPort } = objectOf(port)
    if (number === undefined) causes.push(requiredValue(`${field}.port`))
    else if (!isPort(number))
      causes.push(invalidValue(`${field}.port`, number, 'must be between 1 and 65535, inclusive'))
    if (!PROTOCOLS.includes(String(protocol))) causes.push(unsupportedValue(`${field}.protocol`, protocol, PROTOCOLS))
    if (typeof targetPort === 'number' && !isPort(targetPort))
      causes.push(invalidValue(`${field}.targetPort`, targetPort, 'must be between 1 and 65535, inclusive'))
    if (ports.length > 1 && !name) causes.push(requiredValue(`${field}.name`))
    if (typeof name === 'string' && name !== '') {
      if (!isDnsLabel(name)) causes.push(invalidValue(`${field}.name`, name, LABEL_RULE))
      if (names.has(name)) causes.push(duplicateValue(`${field}.name`, name))
      names.add(name)
    }
    const pair = `${String(number)}/${String(protocol)}`
    if (pairs.has(pair)) causes.push(duplicateValue(field, port))
    pairs.add(pair)
  }
  const ip = spec['clusterIP']
  if (typeof ip === 'string' && ip !== '' && ip !== 'None' && isIP(ip) === 0)
    causes.push(invalidValue('spec.clusterIPs[0]', ip, 'must be a valid IP address'))
  const before = at(old, 'spec', 'clusterIP')
  const stays = at(old, 'spec', 'type') !== 'ExternalName' && spec['type'] !== 'ExternalName'
  if (old !== undefined && stays && before !== undefined && ip !== before)
    causes.push(invalidValue('spec.clusterIPs[0]', ip ?? '', 'may not change once set'))
  return causes
}

/** ConfigMap and Secret: keys, encodings, immutability. */
export function validateConfig(object: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
  for (const field of ['data', 'binaryData'])
    for (const [key, value] of Object.entries(objectOf(object[field]))) {
      if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key)) causes.push(invalidValue(`${field}[${key}]`, key, rule))
      const binary = object.kind === 'Secret' || field === 'binaryData'
      if (binary && !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(String(value)))
        causes.push(invalidValue(`${field}[${key}]`, '…', 'must be base64'))
    }
  if (old?.['immutable'] === true) {
    for (const field of ['data', 'binaryData'])
      if (!jsonEqual(object[field], old[field]))
        causes.push(forbiddenValue(field, 'field is immutable when `immutable` is set'))
    if (object['immutable'] !== true)
      causes.push(forbiddenValue('immutable', 'field is immutable when `immutable` is set'))
  }
  if (old !== undefined && object.kind === 'Secret' && object['type'] !== old['type'])
    causes.push(immutable('type', object['type']))
  return causes
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
