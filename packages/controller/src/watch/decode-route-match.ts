import type { RequestMatch, ValueMatch } from '../route.types.ts'
import { isRecord, list, record, text } from './json.ts'

/** Reads one match; conditions it can not read are left out of it and named among the problems. */
export type MatchDecoder = (value: unknown, path: string, problems: string[]) => RequestMatch

export const decodeHttpMatch: MatchDecoder = (value, path, problems) => {
  const match = record(value)
  noteStrangers(value, ['path', 'method', 'headers', 'queryParams'], path, problems)
  return {
    path: httpPath(match['path'], `${path}.path`, problems),
    method: text(match['method']) ?? '',
    headers: valueMatches(match['headers'], `${path}.headers`, problems),
    query: valueMatches(match['queryParams'], `${path}.queryParams`, problems),
  }
}

export const decodeGrpcMatch: MatchDecoder = (value, path, problems) => {
  const match = record(value)
  noteStrangers(value, ['method', 'headers'], path, problems)
  return {
    path: grpcPath(match['method'], `${path}.method`, problems),
    method: '',
    headers: valueMatches(match['headers'], `${path}.headers`, problems),
    query: [],
  }
}

function httpPath(value: unknown, at: string, problems: string[]): RequestMatch['path'] {
  const { type = 'PathPrefix', value: path = '/' } = record(value)
  if (typeof path === 'string') {
    switch (type) {
      case 'Exact':
        return { kind: 'exact', value: path }
      case 'PathPrefix':
        // A prefix is of whole segments: a slash at its end means nothing.
        return { kind: 'prefix', value: path.replace(/(?<=.)\/$/, '') }
      case 'RegularExpression':
        return { kind: 'regex', value: path }
      default:
    }
  }
  problems.push(`${at}: ${JSON.stringify(type)} is no type of path match`)
  return undefined
}

/** A method of gRPC is a path: `/package.Service/Method`. */
function grpcPath(value: unknown, at: string, problems: string[]): RequestMatch['path'] {
  if (!isRecord(value)) return undefined
  const service = text(value['service']) ?? ''
  const method = text(value['method']) ?? ''
  switch (value['type'] ?? 'Exact') {
    case 'Exact':
      if (service === '' && method === '') return undefined
      if (service === '') return { kind: 'regex', value: `/[^/]+/${escaped(method)}` }
      return method === ''
        ? { kind: 'prefix', value: `/${service}` }
        : { kind: 'exact', value: `/${service}/${method}` }
    case 'RegularExpression':
      if (service === '' && method === '') return undefined
      return { kind: 'regex', value: `/(?:${service || '[^/]+'})/(?:${method || '[^/]+'})` }
    default:
      problems.push(`${at}: ${JSON.stringify(value['type'])} is no type of method match`)
      return undefined
  }
}

function escaped(literal: string): string {
  return literal.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}

function valueMatches(value: unknown, at: string, problems: string[]): readonly ValueMatch[] {
  return list(value).flatMap((entry, i) => {
    const { name, type = 'Exact', value: wanted = '' } = record(entry)
    const kind = type === 'Exact' ? 'exact' : type === 'RegularExpression' ? 'regex' : undefined
    if (typeof name === 'string' && name !== '' && typeof wanted === 'string' && kind !== undefined)
      return [{ name, kind, value: wanted }]
    problems.push(`${at}[${i}]: no match of a value`)
    return []
  })
}

/** A condition nobody here knows would narrow the match. */
function noteStrangers(value: unknown, known: readonly string[], at: string, problems: string[]): void {
  if (!isRecord(value)) problems.push(`${at}: no match`)
  else for (const key of Object.keys(value)) if (!known.includes(key)) problems.push(`${at}.${key}: not understood`)
}
