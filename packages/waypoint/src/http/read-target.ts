import type { HeaderList } from '@ambit/route'
import { sentValues } from './headers.ts'

export interface RequestTargetParts {
  readonly scheme: string
  readonly authority: string
  /** Path and query. */
  readonly target: string
}

export type TargetVerdict =
  | ({ readonly ok: true } & RequestTargetParts)
  | { readonly ok: false; readonly reason: string }

const ABSOLUTE = /^(https?):\/\/([^/?#]*)([/?].*)?$/i
/** A host, perhaps with a port; user information, spaces and control characters never. */
const AUTHORITY = /^(?:[A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?$/
/** Anything that is no space or control character. A fragment must not be sent (RFC 9112 §3.2), and who sees one there is fooled. */
const TARGET = /^[/][\x21\x22\x24-\x7e\x80-\xff]*$/

/**
 * What an HTTP/1.1 request asks for. There is one authority: an absolute target's, which replaces Host (RFC 9112 §3.2.2), or that of
 * the only Host line.
 */
export function readTarget(method: string, sent: string, raw: HeaderList, version: string): TargetVerdict {
  const hosts = sentValues(raw, 'host')
  if (hosts.length > 1) return refused('several Host headers')
  if (hosts.length === 0 && version === '1.1') return refused('no Host header')
  const host = hosts[0]?.trim() ?? ''
  if (!AUTHORITY.test(host)) return refused('the Host header is no authority')
  if (method === 'CONNECT')
    return AUTHORITY.test(sent) && sent !== '' ? accepted('http', sent, '') : refused('no authority to connect to')
  if (sent === '*')
    return method === 'OPTIONS' ? accepted('http', host, '*') : refused('a target of * is only for OPTIONS')
  const absolute = ABSOLUTE.exec(sent)
  if (absolute === null)
    return TARGET.test(sent) ? accepted('http', host, sent) : refused('the request target is no path')
  const [, scheme = 'http', authority = '', rest = '/'] = absolute
  const path = rest.startsWith('/') ? rest : `/${rest}`
  if (authority === '' || !AUTHORITY.test(authority) || !TARGET.test(path))
    return refused('the request target is no URL')
  return accepted(scheme.toLowerCase(), authority, path)
}

/** The same rules for HTTP/2, whose pseudo headers are apart already. */
export function readPseudoHeaders(parts: {
  readonly method: string
  readonly scheme: string | undefined
  readonly authority: string | undefined
  readonly path: string | undefined
  readonly raw: HeaderList
}): TargetVerdict {
  // Node sends methods in upper case to HTTP/1.1 endpoints: `delete` would be judged as something else than what arrives.
  if (parts.method !== parts.method.toUpperCase()) return refused('a method in lower case')
  const hosts = sentValues(parts.raw, 'host')
  if (hosts.length > 1) return refused('several Host headers')
  const authority = parts.authority ?? hosts[0] ?? ''
  if (
    parts.authority !== undefined &&
    hosts[0] !== undefined &&
    hosts[0].toLowerCase() !== parts.authority.toLowerCase()
  ) {
    return refused('Host and :authority differ')
  }
  if (!AUTHORITY.test(authority)) return refused(':authority is none')
  if (parts.method === 'CONNECT')
    return authority === '' ? refused('no authority to connect to') : accepted('http', authority, '')
  const { scheme = 'http', path = '' } = parts
  if (scheme !== 'http' && scheme !== 'https') return refused('unknown :scheme')
  if (path === '*' && parts.method === 'OPTIONS') return accepted(scheme, authority, path)
  return TARGET.test(path) ? accepted(scheme, authority, path) : refused(':path is no path')
}

function accepted(scheme: string, authority: string, target: string): TargetVerdict {
  return { ok: true, scheme, authority, target }
}

function refused(reason: string): TargetVerdict {
  return { ok: false, reason }
}
