import { CAPITAL, COLON, CR, LF, SPACE, TAB, TEXT, TOKEN } from './characters.ts'
import { Http1Error } from './errors.ts'
import type { Fields, HeaderList } from './head.types.ts'
import { MAX_LENGTH_DIGITS } from './limits.ts'

/**
 * Field lines from `from` to the end of the text, each with its CRLF. Whatever two readers could take differently is an error: folded lines,
 * bare CR or LF, space before a colon, two lengths, a length beside chunks, a coding other than chunked.
 */
export function parseFields(text: string, from: number, maxLines: number): Fields {
  const headers: string[] = []
  let connection: string | undefined
  let length: string | undefined
  let coding: string | undefined
  const end = text.length
  let at = from
  while (at < end) {
    if (headers.length >= 2 * maxLines) throw new Http1Error('too-many-lines', 'too many header lines')
    const nameStart = at
    let seen = 0
    let kind = TOKEN[text.charCodeAt(at)] ?? 0
    while (kind !== 0) {
      seen |= kind
      kind = TOKEN[text.charCodeAt(++at)] ?? 0
    }
    if (at === nameStart || text.charCodeAt(at) !== COLON) throw lineError(text, nameStart, at)
    const sent = text.slice(nameStart, at)
    const name = seen >= CAPITAL ? sent.toLowerCase() : sent
    let code = text.charCodeAt(++at)
    while (code === SPACE || code === TAB) code = text.charCodeAt(++at)
    const valueStart = at
    while (TEXT[code] === 1) code = text.charCodeAt(++at)
    if (code !== CR || text.charCodeAt(at + 1) !== LF)
      throw new Http1Error('invalid-header', `the value of ${name} has characters that no value has`)
    let valueEnd = at
    while (valueEnd > valueStart && isBlank(text.charCodeAt(valueEnd - 1))) valueEnd--
    const value = text.slice(valueStart, valueEnd)
    at += 2
    headers.push(name, value)
    switch (name.length) {
      case 10:
        if (name === 'connection') connection = connection === undefined ? value : `${connection},${value}`
        break
      case 14:
        if (name === 'content-length') length = onlyOne(name, length, value)
        break
      case 17:
        if (name === 'transfer-encoding') coding = onlyOne(name, coding, value)
        break
    }
  }
  if (coding !== undefined && length !== undefined) throw framing('both Content-Length and Transfer-Encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') throw framing('Transfer-Encoding is not chunked')
  return {
    headers,
    connection,
    contentLength: length === undefined ? undefined : lengthOf(length),
    isChunked: coding !== undefined,
  }
}

/** Lines behind a body: the same grammar, and none that frames (RFC 9110 §6.5.1). */
export function parseTrailers(text: string, maxLines: number): HeaderList {
  if (text === '') return NOTHING
  const { headers, contentLength, isChunked } = parseFields(text, 0, maxLines)
  if (contentLength !== undefined || isChunked) throw framing('a trailer that frames a message')
  return headers
}

const NOTHING: HeaderList = []

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

function onlyOne(name: string, earlier: string | undefined, value: string): string {
  if (earlier !== undefined) throw framing(`several ${name} headers`)
  return value
}

function lengthOf(text: string): number {
  if (text.length > MAX_LENGTH_DIGITS || !/^\d+$/.test(text)) throw framing('Content-Length is no length')
  return Number(text)
}

function framing(message: string): Http1Error {
  return new Http1Error('invalid-framing', message)
}

function lineError(text: string, lineStart: number, at: number): Http1Error {
  const isFolded = at === lineStart && isBlank(text.charCodeAt(at))
  return new Http1Error('invalid-header', isFolded ? 'a folded header line' : 'a header line without a name')
}
