import { ANNOTATIONS } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'
import type {
  AuthorizationPolicy,
  PolicyAction,
  PolicyCondition,
  PolicyEntry,
  PolicyOperation,
  PolicyRule,
  PolicySource,
} from '../domain.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { decodeSelector } from './decode-peer-authentication.ts'
import { decodeRequestRules } from './decode-request-rules.ts'
import { decodeTargetRefs, targetOfSelector } from './decode-target-refs.ts'
import { isRecord, type Json, list, record, text } from './json.ts'

const ACTIONS: readonly PolicyAction[] = ['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']
const HTTP_SOURCE = ['remoteIpBlocks', 'notRemoteIpBlocks', 'requestPrincipals', 'notRequestPrincipals']
const HTTP_OPERATION = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths']
/** Conditions a proxy that sees only connections can check. */
export const L4_CONDITIONS: readonly string[] = [
  'source.namespace',
  'source.principal',
  'source.ip',
  'destination.ip',
  'destination.port',
]
const SOURCE = [
  'principals',
  'notPrincipals',
  'namespaces',
  'notNamespaces',
  'serviceAccounts',
  'notServiceAccounts',
  'ipBlocks',
  'notIpBlocks',
] as const

/**
 * Reads a policy without judging it. Fields that are not understood are kept by their path, because what a policy
 * means to forbid must not vanish.
 */
export function decodeAuthorizationPolicy(object: KubeObject): AuthorizationPolicy {
  const spec = specOf(object)
  const meta = decodeMeta(object)
  const action = spec['action'] ?? 'ALLOW'
  const { rules } = spec
  const refs = decodeTargetRefs(spec)
  const selector = decodeSelector(spec['selector'])
  const selected = refs.length === 0 ? targetOfSelector(selector) : undefined
  return {
    ...meta,
    action: ACTIONS.find((known) => known === action),
    selector: selected === undefined ? selector : undefined,
    targetRefs: selected === undefined ? refs : [selected],
    rules: list(rules).map((rule, i) => decodeRule(rule, `rules[${i}]`)),
    requestRules: decodeRequestRules(rules),
    provider: text(record(spec['provider'])['name']) ?? '',
    dryRun: meta.annotations[ANNOTATIONS.dryRun] === 'true',
    unknown: [
      ...strange(spec, ['action', 'selector', 'targetRef', 'targetRefs', 'rules', 'provider'], ''),
      ...strange(record(spec['selector']), ['matchLabels'], 'selector.'),
      ...(rules === undefined || rules === null || Array.isArray(rules) ? [] : ['rules']),
      ...(ACTIONS.includes(action as PolicyAction) ? [] : ['action']),
    ],
  }
}

function decodeRule(value: unknown, path: string): PolicyRule {
  if (!isRecord(value)) return { from: [], to: [], when: [], unknown: [path] }
  return {
    from: list(value['from']).map((entry, i) => decodeSource(entry, `${path}.from[${i}]`)),
    to: list(value['to']).map((entry, i) => decodeOperation(entry, `${path}.to[${i}]`)),
    when: list(value['when']).map((entry, i) => decodeCondition(entry, `${path}.when[${i}]`)),
    unknown: [
      ...strange(value, ['from', 'to', 'when'], `${path}.`),
      ...['from', 'to', 'when']
        .filter((key) => isGiven(value[key]) && !Array.isArray(value[key]))
        .map((key) => `${path}.${key}`),
    ],
  }
}

function decodeSource(entry: unknown, path: string): PolicyEntry<PolicySource> {
  const source = record(record(entry)['source'])
  const value = Object.fromEntries(SOURCE.map((field) => [field, textsOf(source, field)])) as unknown as PolicySource
  return {
    value,
    http: HTTP_SOURCE.filter((field) => isFilled(source[field])),
    unknown: [
      ...shape(entry, 'source', path),
      ...strange(source, [...SOURCE, ...HTTP_SOURCE], `${path}.source.`),
      ...misshapen(source, SOURCE, `${path}.source.`),
    ],
  }
}

function decodeOperation(entry: unknown, path: string): PolicyEntry<PolicyOperation> {
  const operation = record(record(entry)['operation'])
  return {
    value: { ports: textsOf(operation, 'ports'), notPorts: textsOf(operation, 'notPorts') },
    http: HTTP_OPERATION.filter((field) => isFilled(operation[field])),
    unknown: [
      ...shape(entry, 'operation', path),
      ...strange(operation, ['ports', 'notPorts', ...HTTP_OPERATION], `${path}.operation.`),
      ...misshapen(operation, ['ports', 'notPorts'], `${path}.operation.`),
    ],
  }
}

function decodeCondition(entry: unknown, path: string): PolicyEntry<PolicyCondition> {
  const condition = record(entry)
  const key = text(condition['key']) ?? ''
  return {
    value: { key, values: textsOf(condition, 'values'), notValues: textsOf(condition, 'notValues') },
    http: L4_CONDITIONS.includes(key) || key === '' ? [] : [key],
    unknown: [
      ...(key === '' ? [`${path}.key`] : []),
      ...strange(condition, ['key', 'values', 'notValues'], `${path}.`),
      ...misshapen(condition, ['values', 'notValues'], `${path}.`),
    ],
  }
}

function textsOf(from: Json, field: string): readonly string[] {
  return list(from[field]).filter((item) => typeof item === 'string')
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function isFilled(value: unknown): boolean {
  return isGiven(value) && !(Array.isArray(value) && value.length === 0)
}

/** Fields with content that are not among the known ones. */
function strange(object: Json, known: readonly string[], prefix: string): readonly string[] {
  return Object.keys(object)
    .filter((key) => !known.includes(key) && isFilled(object[key]))
    .map((key) => prefix + key)
}

/** Known fields that are not lists of texts. */
function misshapen(object: Json, fields: readonly string[], prefix: string): readonly string[] {
  return fields
    .filter((field) => {
      const value = object[field]
      return isGiven(value) && !(Array.isArray(value) && value.every((item) => typeof item === 'string'))
    })
    .map((field) => prefix + field)
}

/** `{source: {…}}` and nothing beside it. */
function shape(entry: unknown, field: string, path: string): readonly string[] {
  if (!isRecord(entry) || !isRecord(entry[field])) return [`${path}.${field}`]
  return strange(entry, [field], `${path}.`)
}
