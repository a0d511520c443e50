import type { RequestSpec, Written } from '../policy-test.types.ts'
import { isMapping, type Path, type Reader, spell } from './reader.ts'

/** RFC 9110, 5.6.2: of methods and header names. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const PATH = /^(?:\/[^\s\p{Cc}]*|\*)$/u
const AUTHORITY = /^[^\s\p{Cc}/@]+$/u
const HEADER_VALUE = /^[^\r\n\0]*$/
const FIELDS = ['method', 'path', 'host', 'headers', 'claims'] as const

/** `GET /reviews/1`, `/reviews/1`, or a mapping, in which methods and paths may be lists. */
export function readRequest(reader: Reader, value: unknown, path: Path): Written<RequestSpec> | undefined {
  const at = reader.positionOf(path)
  if (!isMapping(value)) {
    const text = reader.text(value, path, 'request')
    if (text === undefined) return undefined
    const [, method = 'GET', target = ''] = /^(?:(\S+) +)?(\S+)$/.exec(text) ?? []
    if (!TOKEN.test(method) || !PATH.test(target))
      return reader.fail(path, `${spell(text)} is no request; write METHOD /PATH, or a mapping of ${FIELDS.join(', ')}`)
    const request = { methods: [method], paths: [target], host: undefined, headers: [], claims: undefined }
    return { value: request, text, at }
  }
  const fields = reader.fields(value, path, 'request', FIELDS)
  if (fields === undefined) return undefined
  const methods = readTexts(reader, 'method' in fields ? fields['method'] : 'GET', [...path, 'method'], 'method', TOKEN)
  const paths = readTexts(reader, 'path' in fields ? fields['path'] : '/', [...path, 'path'], 'path', PATH)
  const host = reader.optionalText(fields['host'], [...path, 'host'], 'host')
  if (host !== undefined && !AUTHORITY.test(host))
    reader.fail([...path, 'host'], `host is HOST or HOST:PORT, not ${spell(host)}`)
  const headers = readHeaders(reader, fields['headers'], [...path, 'headers'])
  const claims = readClaims(reader, fields['claims'], [...path, 'claims'])
  return { value: { methods, paths, host, headers, claims }, text: '', at }
}

function readTexts(reader: Reader, value: unknown, path: Path, what: string, form: RegExp): readonly string[] {
  return reader.oneOrMore(value, path, what).flatMap(([item, at]) => {
    const text = reader.text(item, at, what)
    if (text === undefined) return []
    if (form.test(text)) return [text]
    reader.fail(at, `${spell(text)} is no ${what}${what === 'path' ? '; it begins with /' : ''}`)
    return []
  })
}

function readHeaders(reader: Reader, value: unknown, path: Path): RequestSpec['headers'] {
  if (value === undefined) return []
  const mapping = reader.mapping(value, path, 'headers')
  return Object.entries(mapping ?? {}).flatMap(([name, written]) => {
    const at = [...path, name]
    if (!TOKEN.test(name) || name.startsWith(':')) {
      reader.fail(at, `${spell(name)} is no name of a header`)
      return []
    }
    return reader.oneOrMore(written, at, name).flatMap(([item, place]): RequestSpec['headers'] => {
      const text = item === '' ? '' : reader.text(item, place, `header ${name}`)
      if (text === undefined) return []
      if (HEADER_VALUE.test(text)) return [[name.toLowerCase(), text]]
      reader.fail(place, `header ${name} has a line break`)
      return []
    })
  })
}

/** Of a token that was checked; they may be anything JSON has. */
function readClaims(reader: Reader, value: unknown, path: Path): RequestSpec['claims'] {
  if (value === undefined) return undefined
  const claims = reader.mapping(value, path, 'claims')
  if (claims === undefined) return undefined
  for (const name of ['iss', 'sub', 'azp'] as const) {
    if (claims[name] !== undefined) reader.text(claims[name], [...path, name], `claims.${name}`)
  }
  return claims
}
