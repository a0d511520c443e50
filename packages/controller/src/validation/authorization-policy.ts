import { parseCidr } from '@ambit/core'
import { isRecord, type Json, list, printed, record, text } from '../watch/json.ts'
import { checkAttachment } from './common-checks.ts'
import { portProblem } from './field-problems.ts'
import type { Report } from './report.ts'

const SOURCE_FIELDS = [
  'principals',
  'requestPrincipals',
  'namespaces',
  'serviceAccounts',
  'trustDomains',
  'ipBlocks',
  'remoteIpBlocks',
]
const OPERATION_FIELDS = ['hosts', 'ports', 'methods', 'paths']
/** What can be told of a connection that is no HTTP. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set(
  SOURCE_FIELDS.filter((field) => field !== 'requestPrincipals').flatMap((field) => [field, negated(field)]),
)
/** An external authorizer is asked before the client's identity or token is looked at (Istio). */
const NOT_FOR_CUSTOM: ReadonlySet<string> = new Set(
  ['namespaces', 'serviceAccounts', 'trustDomains', 'principals', 'requestPrincipals'].flatMap((field) => [
    field,
    negated(field),
  ]),
)

export function checkAuthorizationPolicy(spec: Json, report: Report): void {
  checkAttachment(spec, report)
  const action = text(spec['action']) ?? 'ALLOW'
  const rules = spec['rules']
  const provider = spec['provider']
  if (rules === undefined && (action === 'DENY' || action === 'CUSTOM'))
    report.error('spec.rules', `${action} without rules is never in force: one empty rule, {}, is for every request`)
  if (action === 'CUSTOM' && !record(provider)['name']) report.error('spec.provider.name', 'required for CUSTOM')
  if (action !== 'CUSTOM' && provider !== undefined)
    report.error('spec.provider', `is for CUSTOM only, not for ${action}`)
  for (const [i, rule] of list(rules).entries()) checkRule(rule, `spec.rules[${i}]`, action, report)
}

function negated(field: string): string {
  return `not${field.charAt(0).toUpperCase()}${field.slice(1)}`
}

function checkRule(value: unknown, path: string, action: string, report: Report): void {
  if (!isRecord(value)) return report.error(path, 'must not be null')
  const [from, to] = [value['from'], value['to']]
  for (const field of ['from', 'to'])
    if (Array.isArray(value[field]) && list(value[field]).length === 0)
      report.error(`${path}.${field}`, 'must not be empty')
  const sources = list(from).map((entry, j) => partOf(entry, 'source', `${path}.from[${j}]`, report))
  for (const [j, source] of sources.entries())
    if (source !== undefined) checkSource(source, `${path}.from[${j}].source`, action, report)
  const operations = list(to).map((entry, j) => partOf(entry, 'operation', `${path}.to[${j}]`, report))
  for (const [j, operation] of operations.entries())
    if (operation !== undefined) checkOperation(operation, `${path}.to[${j}].operation`, report)
  for (const [j, condition] of list(value['when']).entries())
    checkCondition(record(condition), `${path}.when[${j}]`, action, report)
  if (action !== 'DENY') return
  const says = (parts: readonly (Json | undefined)[], fields: ReadonlySet<string>): boolean =>
    parts.some((part) => Object.keys(part ?? {}).some((field) => fields.has(field)))
  const onlyHttpFrom = sources.length > 0 && operations.length === 0 && !says(sources, OF_CONNECTIONS)
  const onlyHttpTo = operations.length > 0 && !says(operations, new Set(['ports', 'notPorts']))
  if (onlyHttpFrom || onlyHttpTo)
    report.warn(path, 'speaks of HTTP only, so on ports of TCP it denies everything: name the ports it is for')
}

function partOf(value: unknown, field: string, path: string, report: Report): Json | undefined {
  const part = record(value)[field]
  if (isRecord(part)) return part
  report.error(`${path}.${field}`, 'required')
  return undefined
}

function checkSource(source: Json, path: string, action: string, report: Report): void {
  checkLists(source, SOURCE_FIELDS, path, report)
  const has = (fields: readonly string[]): boolean =>
    fields.some((field) => list(source[field]).length + list(source[negated(field)]).length > 0)
  if (has(['serviceAccounts']) && has(['principals', 'namespaces']))
    report.error(path, 'Cannot set serviceAccounts with namespaces or principals')
  for (const field of ['ipBlocks', 'remoteIpBlocks'])
    for (const name of [field, negated(field)])
      for (const block of list(source[name]))
        if (typeof block !== 'string' || (block !== '' && parseCidr(block) === undefined))
          report.error(`${path}.${name}`, `${JSON.stringify(block)} is neither an address nor a network`)
  for (const name of ['serviceAccounts', 'notServiceAccounts'])
    for (const account of list(source[name]))
      if (printed(account).split('/').length > 2 || printed(account).includes('*'))
        report.error(
          `${path}.${name}`,
          `${JSON.stringify(account)} is no NAME or NAMESPACE/NAME; wildcards are not possible`,
        )
  for (const field of Object.keys(source))
    if (action === 'CUSTOM' && NOT_FOR_CUSTOM.has(field))
      report.error(`${path}.${field}`, 'is not supported with CUSTOM')
}

function checkOperation(operation: Json, path: string, report: Report): void {
  checkLists(operation, OPERATION_FIELDS, path, report)
  for (const name of ['ports', 'notPorts'])
    for (const port of list(operation[name])) report.check(`${path}.${name}`, portProblem(Number(printed(port))))
  for (const name of ['paths', 'notPaths'])
    for (const value of list(operation[name])) report.check(`${path}.${name}`, templateProblem(printed(value)))
}

/** Every list has a text in each place, and one of them something at all. */
function checkLists(part: Json, fields: readonly string[], path: string, report: Report): void {
  const names = fields.flatMap((field) => [field, negated(field)])
  for (const name of names)
    if (list(part[name]).some((value) => value === '')) report.error(`${path}.${name}`, 'must not hold an empty text')
  if (names.every((name) => list(part[name]).length === 0)) report.error(path, 'must say something')
}

/** Segments `{*}` and `{**}` of a path; the last only at the end. */
function templateProblem(path: string): string | undefined {
  if (!path.includes('{') && !path.includes('}')) return undefined
  const quoted = JSON.stringify(path)
  if (path.includes('*') && /(^|[^{*])\*|\*([^}*]|$)/.test(path))
    return `${quoted}: * and {*} can not stand in one path`
  const segments = path.split('/')
  const odd = segments.find((segment) => /[{}]/.test(segment) && segment !== '{*}' && segment !== '{**}')
  if (odd !== undefined) return `${quoted}: ${JSON.stringify(odd)} is neither {*} nor {**}`
  const rest = segments.indexOf('{**}')
  return rest >= 0 && segments.slice(rest + 1).includes('{**}') ? `${quoted}: {**} can stand there once` : undefined
}

const KEYS: ReadonlySet<string> = new Set([
  'source.ip',
  'remote.ip',
  'source.namespace',
  'source.principal',
  'source.serviceAccount',
  'source.trustDomain',
  'request.auth.principal',
  'request.auth.audiences',
  'request.auth.presenter',
  'destination.ip',
  'destination.port',
  'connection.sni',
])
/** With what stands in brackets. */
const KEYS_WITH_NAME = /^(request\.headers|request\.auth\.claims|experimental\.envoy\.filters\..+)(\[[^[\]]+\])+$/
const CUSTOM_CAN_NOT = /^(source\.(namespace|serviceAccount|trustDomain|principal)$|request\.auth\.)/

function checkCondition(condition: Json, path: string, action: string, report: Report): void {
  const key = text(condition['key']) ?? ''
  const [values, notValues] = [list(condition['values']), list(condition['notValues'])]
  if (key === '') return report.error(`${path}.key`, 'required')
  if (!KEYS.has(key) && !KEYS_WITH_NAME.test(key))
    report.error(`${path}.key`, `${JSON.stringify(key)} is no attribute that is known`)
  if (action === 'CUSTOM' && CUSTOM_CAN_NOT.test(key))
    report.error(`${path}.key`, `${key} is not supported with CUSTOM`)
  if (values.length + notValues.length === 0) report.error(path, 'values or notValues is required')
  for (const [field, all] of [
    ['values', values],
    ['notValues', notValues],
  ] as const)
    for (const value of all) {
      if (key.endsWith('.ip') && parseCidr(printed(value)) === undefined)
        report.error(`${path}.${field}`, `${JSON.stringify(value)} is neither an address nor a network`)
      if (key === 'destination.port') report.check(`${path}.${field}`, portProblem(Number(printed(value))))
    }
}
