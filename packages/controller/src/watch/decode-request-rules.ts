import type { RequestRule } from '../domain.types.ts'
import { isRecord, type Json, list, text } from './json.ts'

const SOURCE = both(
  'principals',
  'requestPrincipals',
  'namespaces',
  'serviceAccounts',
  'ipBlocks',
  'remoteIpBlocks',
  'trustDomains',
)
const OPERATION = both('hosts', 'ports', 'methods', 'paths')

/** A field and its negation. */
function both(...fields: readonly string[]): readonly string[] {
  return fields.flatMap((field) => [field, `not${field.charAt(0).toUpperCase()}${field.slice(1)}`])
}

/**
 * Rules for requests as written. A field that is not understood is left out whole and named: what remains matches more,
 * never less, and who evaluates the rule knows not to permit by it.
 */
export function decodeRequestRules(rules: unknown): readonly RequestRule[] {
  return list(rules).map((rule, i) => decodeRule(rule, `rules[${i}]`))
}

function decodeRule(value: unknown, path: string): RequestRule {
  const unknown: string[] = []
  if (!isRecord(value)) return { from: [], to: [], when: [], unknown: [path] }
  noteStrangers(value, ['from', 'to', 'when'], path, unknown)
  const entries = (field: string): readonly (readonly [unknown, string])[] => {
    const written = value[field]
    if (isGiven(written) && !Array.isArray(written)) unknown.push(`${path}.${field}`)
    return list(written).map((entry, i) => [entry, `${path}.${field}[${i}]`] as const)
  }
  return {
    from: entries('from').map(([entry, at]) => decodeEntry(entry, 'source', SOURCE, at, unknown)),
    to: entries('to').map(([entry, at]) => decodeEntry(entry, 'operation', OPERATION, at, unknown)),
    when: entries('when').flatMap(([entry, at]) => decodeCondition(entry, at, unknown)),
    unknown,
  }
}

type Lists = Readonly<Record<string, readonly string[]>>

/** `{source: {…}}` or `{operation: {…}}`. */
function decodeEntry(entry: unknown, name: string, fields: readonly string[], at: string, unknown: string[]): Lists {
  if (!isRecord(entry) || !isRecord(entry[name])) {
    unknown.push(`${at}.${name}`)
    return {}
  }
  noteStrangers(entry, [name], at, unknown)
  const inner = entry[name]
  noteStrangers(inner, fields, `${at}.${name}`, unknown)
  return Object.fromEntries(fields.map((field) => [field, textsOf(inner, field, `${at}.${name}`, unknown)]))
}

function decodeCondition(entry: unknown, at: string, unknown: string[]): RequestRule['when'] {
  if (!isRecord(entry) || !text(entry['key'])) {
    unknown.push(`${at}.key`)
    return []
  }
  noteStrangers(entry, ['key', 'values', 'notValues'], at, unknown)
  const values = textsOf(entry, 'values', at, unknown)
  const notValues = textsOf(entry, 'notValues', at, unknown)
  if (values.length + notValues.length === 0) unknown.push(`${at}.values`)
  return [{ key: text(entry['key']) ?? '', values, notValues }]
}

/** All of the list or, when something in it is no text, nothing of it. */
function textsOf(from: Json, field: string, at: string, unknown: string[]): readonly string[] {
  const value = from[field]
  if (!isGiven(value)) return []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  unknown.push(`${at}.${field}`)
  return []
}

function noteStrangers(object: Json, known: readonly string[], at: string, unknown: string[]): void {
  for (const key of Object.keys(object)) if (!known.includes(key) && isGiven(object[key])) unknown.push(`${at}.${key}`)
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}
