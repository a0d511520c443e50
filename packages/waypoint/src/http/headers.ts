import type { HeaderList } from '@ambit/route'
import { MAX_HEADER_LINES } from '../limits.ts'

/** They concern one hop (RFC 9110 §7.6.1), or a hop's framing that the next hop chooses anew. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** The lines of one name joined with commas; undefined without any. Names of the list are in lower case. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  let found: string | undefined
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index] === name)
      found = found === undefined ? headers[index + 1] : `${found},${headers[index + 1] ?? ''}`
  }
  return found
}

/** The lines of one name as they were sent, in whatever case. */
export function sentValues(raw: HeaderList, name: string): readonly string[] {
  let found: string[] | undefined
  for (let index = 0; index < raw.length; index += 2) {
    if (isNamed(raw[index], name)) (found ??= []).push(raw[index + 1] ?? '')
  }
  return found ?? NOTHING
}

const NOTHING: readonly string[] = []

/** Nearly all names differ in their length already. */
function isNamed(sent: string | undefined, name: string): boolean {
  return sent !== undefined && sent.length === name.length && sent.toLowerCase() === name
}

/** The list with one line of that name, in place of those it had. */
export function withHeader(headers: HeaderList, name: string, value: string): HeaderList {
  const changed: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const other = headers[index] ?? ''
    if (other !== name) changed.push(other, headers[index + 1] ?? '')
  }
  changed.push(name, value)
  return changed
}

export function withoutHeaders(headers: HeaderList, remove: (name: string) => boolean): string[] {
  const kept: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (!remove(name)) kept.push(name, headers[index + 1] ?? '')
  }
  return kept
}

const NO_NAMES: ReadonlySet<string> = new Set()

/** Of requests: the authority is apart, and what is expected is between the client and us. */
export const OF_THE_HEAD: ReadonlySet<string> = new Set(['host', 'expect'])

/** What goes on to the next hop: lower-case names, nothing that is of this hop or named by its Connection header, nor of `without`. */
export function endToEnd(raw: HeaderList, without: ReadonlySet<string> = NO_NAMES): string[] {
  const named = connectionOptions(raw)
  const kept: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase()
    const value = raw[index + 1] ?? ''
    if (name.startsWith(':') || HOP_BY_HOP.has(name) || without.has(name) || named?.has(name) === true) continue
    // Of `te` only this one means anything to a next hop (gRPC).
    if (name === 'te' && value.trim().toLowerCase() !== 'trailers') continue
    kept.push(name, value)
  }
  return kept
}

/** Whether an answer ends with its head whatever that says (RFC 9112 §6.3). */
export function endsWithHead(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** Without a length where none may be said: whoever believed it would wait for bytes that are of the next answer (RFC 9110 §8.6). */
export function answerLines(status: number, headers: HeaderList): HeaderList {
  const isNone = (status < 200 || status === 204) && headerOf(headers, 'content-length') !== undefined
  return isNone ? withoutHeaders(headers, (name) => name === 'content-length') : headers
}

/** They frame, route or authenticate a message: who merges trailers into headers would be fooled (RFC 9110 §6.5.1). */
const NEVER_IN_TRAILERS: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'max-forwards',
  'proxy-authorization',
  'range',
  'set-cookie',
  'te',
  'trailer',
])

/** What goes on of trailers. Further lines than a header block may have are left out. */
export function trailerLines(raw: HeaderList): string[] {
  const lines = withoutHeaders(
    endToEnd(raw),
    (name) => NEVER_IN_TRAILERS.has(name) || /^x[-_](?:forwarded|envoy)[-_]/.test(name),
  )
  return lines.slice(0, 2 * MAX_HEADER_LINES)
}

/** A message without chunks has no trailers to announce, and Node refuses to send one that does. */
export function withoutTrailer(headers: HeaderList): string[] {
  return withoutHeaders(headers, (name) => name === 'trailer')
}

/** Headers no Connection option may remove: an application or policy relies on them, whatever a client says. */
const NEVER_OF_THE_HOP: ReadonlySet<string> = new Set(['host', 'content-length', 'authorization', 'cookie', 'te'])

function connectionOptions(raw: HeaderList): ReadonlySet<string> | undefined {
  let options: Set<string> | undefined
  for (const value of sentValues(raw, 'connection')) {
    for (const option of value.split(',')) {
      const name = option.trim().toLowerCase()
      // A client could else take away what proxies before or after it say of it.
      if (name !== '' && !NEVER_OF_THE_HOP.has(name) && !name.startsWith('x-forwarded-'))
        (options ??= new Set()).add(name)
    }
  }
  return options
}

export function isGrpc(headers: HeaderList): boolean {
  const type = headerOf(headers, 'content-type')
  return type !== undefined && /^application\/grpc($|[+;])/i.test(type)
}

/** What a header block weighs, as Envoy's metrics count it. */
export function headerBytes(headers: HeaderList): number {
  let bytes = 0
  for (const text of headers) bytes += text.length
  return bytes
}
