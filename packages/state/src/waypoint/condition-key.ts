import type { RequestCondition } from './http-authorization.types.ts'

type KeyOf<C> = C extends { readonly kind: 'unknown' } ? never : Omit<C, 'values'>

/** What a `when` key asks about. */
export type ConditionKey = RequestCondition extends infer C ? KeyOf<C> : never

const KEYS: ReadonlyMap<string, ConditionKey> = new Map<string, ConditionKey>([
  ['source.ip', { kind: 'ip', of: 'source.ip' }],
  ['remote.ip', { kind: 'ip', of: 'remote.ip' }],
  ['destination.ip', { kind: 'ip', of: 'destination.ip' }],
  ['destination.port', { kind: 'port' }],
  ['source.namespace', { kind: 'text', of: 'source.namespace' }],
  ['source.principal', { kind: 'text', of: 'source.principal' }],
  ['source.trustDomain', { kind: 'text', of: 'source.trustDomain' }],
  ['source.serviceAccount', { kind: 'service-account' }],
  ['request.auth.principal', { kind: 'text', of: 'request.auth.principal' }],
  ['request.auth.audiences', { kind: 'text', of: 'request.auth.audiences' }],
  ['request.auth.presenter', { kind: 'text', of: 'request.auth.presenter' }],
  ['connection.sni', { kind: 'text', of: 'connection.sni' }],
])

const HEADER = /^request\.headers\[([^[\]]+)\]$/
const CLAIM = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/

/** Undefined for a key nobody here can evaluate. */
export function conditionKey(key: string): ConditionKey | undefined {
  const known = KEYS.get(key)
  if (known !== undefined) return known
  const header = HEADER.exec(key)?.[1]
  if (header !== undefined) return { kind: 'header', name: header.toLowerCase() }
  const claim = CLAIM.exec(key)?.[1]
  return claim === undefined ? undefined : { kind: 'claim', path: claim.slice(1, -1).split('][') }
}
