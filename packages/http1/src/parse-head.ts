import { CR, DELETE, LF, SPACE, TEXT, TOKEN } from './characters.ts'
import { Http1Error } from './errors.ts'
import type { Fields, Http1Version, RequestHead, ResponseHead } from './head.types.ts'
import { parseFields } from './parse-fields.ts'

/** The text is a whole head: start line and field lines, each with its CRLF, without the empty line. */
export function parseRequestHead(text: string, maxLines: number): RequestHead {
  let at = 0
  while (TOKEN[text.charCodeAt(at)] !== 0 && at < text.length) at++
  if (at === 0 || text.charCodeAt(at) !== SPACE) throw startLine('the method')
  const method = text.slice(0, at)
  const targetStart = ++at
  let code = text.charCodeAt(at)
  while (code > SPACE && code < DELETE) code = text.charCodeAt(++at)
  if (at === targetStart || text.charCodeAt(at) !== SPACE) throw startLine('the request target')
  const target = text.slice(targetStart, at)
  const version = versionAt(text, at + 1)
  at += 9
  if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) throw startLine('the end of the request line')
  const fields = parseFields(text, at + 2, maxLines)
  if (fields.isChunked && version === '1.0') throw new Http1Error('invalid-framing', 'Transfer-Encoding in HTTP/1.0')
  const { headers, connection, contentLength, isChunked } = fields
  return {
    kind: 'request',
    method,
    target,
    version,
    headers,
    connection,
    contentLength,
    isChunked,
    keepsAlive: keepsAlive(version, fields),
    isBodiless: !isChunked && (contentLength ?? 0) === 0,
  }
}

export function parseResponseHead(text: string, maxLines: number): ResponseHead {
  const version = versionAt(text, 0)
  const status = text.slice(9, 12)
  if (text.charCodeAt(8) !== SPACE || !/^\d\d\d$/.test(status)) throw startLine('the status')
  let at = 12
  // The reason may be empty, and its blank is often left out with it.
  if (text.charCodeAt(at) === SPACE) at++
  else if (text.charCodeAt(at) !== CR) throw startLine('the status')
  while (TEXT[text.charCodeAt(at)] === 1) at++
  if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) throw startLine('the reason')
  const fields = parseFields(text, at + 2, maxLines)
  if (fields.isChunked && version === '1.0') throw new Http1Error('invalid-framing', 'Transfer-Encoding in HTTP/1.0')
  const { headers, connection, contentLength, isChunked } = fields
  return {
    kind: 'response',
    status: Number(status),
    version,
    headers,
    connection,
    contentLength,
    isChunked,
    keepsAlive: keepsAlive(version, fields),
  }
}

function versionAt(text: string, at: number): Http1Version {
  if (text.startsWith('HTTP/1.1', at)) return '1.1'
  if (text.startsWith('HTTP/1.0', at)) return '1.0'
  throw new Http1Error('unknown-version', 'unknown HTTP version')
}

function keepsAlive(version: Http1Version, { connection }: Fields): boolean {
  if (connection === undefined) return version === '1.1'
  const options = connection.toLowerCase().split(',')
  if (options.some((option) => option.trim() === 'close')) return false
  return version === '1.1' || options.some((option) => option.trim() === 'keep-alive')
}

function startLine(what: string): Http1Error {
  return new Http1Error('invalid-start-line', `${what} is not as HTTP/1.1 has it`)
}
