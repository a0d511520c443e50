import type { PathNormalization } from '@ambit/state'

/**
 * What a request target says. `path`: the path policies and routes see, and `target`, the same path with the query as sent: what is
 * forwarded. `other`: no path; `*` of OPTIONS, an absolute URI that is still to be taken apart, or something else, such as the
 * authority of a CONNECT. `refused`: two readers could take it for different paths, so it is answered 400.
 */
export type NormalizedPath =
  | { readonly kind: 'path'; readonly path: string; readonly target: string }
  | { readonly kind: 'other'; readonly form: 'asterisk' | 'absolute' | 'authority' }
  | { readonly kind: 'refused'; readonly reason: PathRefusal }

export type PathRefusal = 'empty' | 'no-leading-slash' | 'control-character' | 'fragment'

const SLASH = 0x2f
const PERCENT = 0x25
const DOT = 0x2e
const BACKSLASH = 0x5c
const QUESTION = 0x3f

/**
 * Brings a request target into the one spelling that policies judge and backends are sent (RFC 3986 §6.2.2 as Envoy applies it):
 * escapes of unreserved characters are undone, `\` is `/`, dot segments go; by mode slashes are merged and escaped slashes are
 * slashes. The query is not touched. Escapes of anything else stay as they are.
 */
export function normalizePath(target: string, mode: PathNormalization): NormalizedPath {
  if (target === '') return refused('empty')
  const first = target.charCodeAt(0)
  if (first !== SLASH && (first !== BACKSLASH || mode === 'none')) return notAPath(target)
  const end = pathEnd(target)
  if (end < 0) return refused(end === FRAGMENT ? 'fragment' : 'control-character')
  const path = end === target.length ? target : target.slice(0, end)
  if (mode === 'none') return { kind: 'path', path, target }
  if (isPlain(path)) return { kind: 'path', path, target }
  // An escaped NUL ends the path for some readers.
  if (path.includes('%00')) return refused('control-character')
  const normal = normalize(path, mode)
  return { kind: 'path', path: normal, target: end === target.length ? normal : normal + target.slice(end) }
}

function refused(reason: PathRefusal): NormalizedPath {
  return { kind: 'refused', reason }
}

function notAPath(target: string): NormalizedPath {
  if (target === '*') return { kind: 'other', form: 'asterisk' }
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(target)) return { kind: 'other', form: 'absolute' }
  if (/^(?:\[[\da-f:.]+\]|[\w.-]+):\d{1,5}$/i.test(target)) return { kind: 'other', form: 'authority' }
  return refused('no-leading-slash')
}

const FRAGMENT = -1
const CONTROL = -2

/** Where the query begins. A fragment is never sent by a client that means it: where the path ended would be a matter of opinion. */
function pathEnd(target: string): number {
  for (let i = 0; i < target.length; i++) {
    const code = target.charCodeAt(i)
    if (code === QUESTION) return i
    if (code === 0x23) return FRAGMENT
    if (code <= 0x20 || code === 0x7f) return CONTROL
  }
  return target.length
}

/** Nothing in it could change in any mode: nearly every path. */
function isPlain(path: string): boolean {
  let previous = 0
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code === PERCENT || code === BACKSLASH) return false
    if (previous === SLASH && (code === SLASH || code === DOT)) return false
    previous = code
  }
  return true
}

function normalize(path: string, mode: PathNormalization): string {
  const slashes = mode === 'decode-and-merge-slashes' ? path.replaceAll(/%2f|%5c/gi, '/') : path
  const segments = slashes.replaceAll('\\', '/').split('/').slice(1).map(decodeUnreserved)
  const kept = withoutDotSegments(segments)
  const merged = mode === 'base' ? kept : kept.filter((segment, i) => segment !== '' || i === kept.length - 1)
  return `/${merged.join('/')}`
}

/** RFC 3986 §5.2.4: `..` takes the segment before it along; a path that ends in a dot segment ends in a slash. */
function withoutDotSegments(segments: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (const [i, segment] of segments.entries()) {
    if (segment !== '.' && segment !== '..') {
      kept.push(segment)
      continue
    }
    if (segment === '..') kept.pop()
    if (i === segments.length - 1) kept.push('')
  }
  return kept
}

/**
 * Undoes escapes of letters, digits and `-._~`. Not behind a stray `%`: `%2%46` would become `%2F`, an escape the sender has not
 * written.
 */
function decodeUnreserved(segment: string): string {
  if (!segment.includes('%')) return segment
  let out = ''
  // Characters since a `%` that begins no escape, as long as they could be the first digit of one.
  let sinceStray = -1
  for (let i = 0; i < segment.length; i++) {
    const code = segment.charCodeAt(i)
    const byte = code === PERCENT ? escapedByte(segment, i) : -1
    if (byte < 0) {
      out += segment.charAt(i)
      if (code === PERCENT) sinceStray = 0
      else sinceStray = sinceStray === 0 && hexDigit(code) >= 0 ? 1 : -1
      continue
    }
    const decodes = sinceStray < 0 && isUnreserved(byte)
    out += decodes ? String.fromCharCode(byte) : segment.slice(i, i + 3)
    sinceStray = -1
    i += 2
  }
  return out
}

/** The byte `%XX` at `start` stands for, or -1. */
function escapedByte(text: string, start: number): number {
  const high = hexDigit(text.charCodeAt(start + 1))
  const low = hexDigit(text.charCodeAt(start + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function isUnreserved(byte: number): boolean {
  const lower = byte | 0x20
  if (lower >= 0x61 && lower <= 0x7a) return true
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === DOT || byte === 0x5f || byte === 0x7e
}
