import type { HashOf } from '@ambit/state'
import { firstQueryValues } from './query-parameters.ts'

/** What a request is sent by the hash of. */
export interface HashedRequest {
  /** Without the question mark. */
  readonly query: string
  readonly sourceIp: string
  /** By lower-case name. */
  header(name: string): string | undefined
}

/** Undefined: the request has none of it, and goes anywhere. */
export function hashKeyOf(hashOf: HashOf, request: HashedRequest): string | undefined {
  switch (hashOf.kind) {
    case 'header':
      return request.header(hashOf.name)
    case 'query-parameter':
      return firstQueryValues(request.query).get(hashOf.name)
    case 'source-ip':
      return request.sourceIp
    case 'cookie':
      return cookieOf(request.header('cookie'), hashOf.name)
  }
}

/** A cookie that binds who gets it; `key` is what it says. */
export function bindingCookie({ name, path, ttlSeconds }: Extract<HashOf, { kind: 'cookie' }>, key: string): string {
  const age = ttlSeconds === undefined || ttlSeconds === 0 ? '' : `; Max-Age=${ttlSeconds}`
  return `${name}="${key}"${age}${path === '' ? '' : `; Path=${path}`}; HttpOnly`
}

/** RFC 6265 §4.2.1; quotes around a value are none of it. */
function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === name)
      return pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1')
  }
  return undefined
}
