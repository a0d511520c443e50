import type { PathPattern, PathSegment } from '@ambit/state'
import { MAX_TEMPLATE_SEGMENTS } from '../limits.ts'

/** Names that stand for a segment, by what it looks like; {@link REST} for all that is deeper. */
const KINDS: readonly (readonly [kind: string, test: RegExp])[] = [
  ['{number}', /^[-+]?\d+(?:\.\d+)?$/],
  ['{uuid}', /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i],
  ['{hash}', /^(?=.*\d)[\da-f]{12,}$/i],
  ['{email}', /@|%40/i],
  // Words have no digits among their letters and are not as long.
  ['{token}', /^(?=.*\d)(?=.*[a-z])[\w.~%=+-]{20,}$|^.{48,}$/i],
]

export const REST = '{rest}'
/** Paths beyond the number that a recording keeps. */
export const OTHER_PATHS = '/{other}'

/** The template of a path: what differs from request to request by its kind. What a policy names stays as it is. */
export function templateOf(path: string, policies: readonly PathPattern[]): string {
  const segments = path.split('/').slice(1)
  const kept = keptSegments(path, segments, policies)
  const shown = segments.slice(0, MAX_TEMPLATE_SEGMENTS).map((segment, i) => (kept.has(i) ? segment : kindOf(segment)))
  return `/${[...shown, ...(segments.length > MAX_TEMPLATE_SEGMENTS ? [REST] : [])].join('/')}`
}

function kindOf(segment: string): string {
  return KINDS.find(([, test]) => test.test(segment))?.[0] ?? escaped(segment)
}

/** A segment that looks like the name of a kind is not one. */
function escaped(segment: string): string {
  return segment.replaceAll('{', '%7B').replaceAll('}', '%7D')
}

/** Segments that a pattern says literally, among the patterns that hit the path. */
function keptSegments(
  path: string,
  segments: readonly string[],
  patterns: readonly PathPattern[],
): ReadonlySet<number> {
  const kept = new Set<number>()
  const keep = (from: number, to: number): void => {
    let start = 1
    for (const [i, segment] of segments.entries()) {
      if (start < to && start + segment.length > from && segment !== '') kept.add(i)
      start += segment.length + 1
    }
  }
  for (const pattern of patterns) {
    if (pattern.kind === 'template') {
      for (const i of literalsIn(pattern.segments, segments)) kept.add(i)
      continue
    }
    const { text } = pattern
    if (text.kind === 'exact' && text.value === path) keep(0, path.length)
    if (text.kind === 'prefix' && path.startsWith(text.value)) keep(0, text.value.length)
    if (text.kind === 'suffix' && path.endsWith(text.value)) keep(path.length - text.value.length, path.length)
  }
  return kept
}

/** Places of a path that a template says literally; none where it does not hit. */
function literalsIn(template: readonly PathSegment[], segments: readonly string[]): readonly number[] {
  const rest = template.findIndex(({ kind }) => kind === 'any-number')
  const head = rest < 0 ? template : template.slice(0, rest)
  const tail = rest < 0 ? [] : template.slice(rest + 1)
  if (rest < 0 ? segments.length !== head.length : segments.length < head.length + tail.length) return []
  const places: number[] = []
  const fits = (part: readonly PathSegment[], offset: number): boolean =>
    part.every((segment, i) => {
      const written = segments[offset + i]
      if (segment.kind !== 'literal') return written !== ''
      places.push(offset + i)
      return written === segment.value
    })
  return fits(head, 0) && fits(tail, segments.length - tail.length) ? places : []
}

const EXAMPLES: Readonly<Record<string, string>> = {
  '{number}': '1',
  '{uuid}': '00000000-0000-4000-8000-000000000000',
  '{hash}': '0123456789abcdef',
  '{email}': 'somebody@example.com',
  '{token}': 'x0y1z2x0y1z2x0y1z2x0y1z2',
  [REST]: 'rest',
  '{other}': 'other',
}

const PLACEHOLDER = /\{(?:number|uuid|hash|email|token|rest|other)\}/g

/** A path of the template, for a question. */
export function exampleOf(template: string): string {
  return unescape(template.replace(PLACEHOLDER, (kind) => EXAMPLES[kind] ?? ''))
}

/** Which of the paths could have been one of the template's. */
export function fitsTemplate(template: string): (path: string) => boolean {
  if (template === OTHER_PATHS) return () => true
  const parts = template.split('/').slice(1)
  const isDeep = parts.at(-1) === REST
  const wanted = isDeep ? parts.slice(0, -1) : parts
  return (path) => {
    const segments = path.split('/').slice(1)
    if (isDeep ? segments.length <= wanted.length : segments.length !== wanted.length) return false
    return wanted.every((part, i) => {
      const segment = segments[i] ?? ''
      const kind = KINDS.find(([name]) => name === part)
      return kind === undefined ? segment === unescape(part) : kind[1].test(segment)
    })
  }
}

/** Whether all paths of the template are one. */
export function isOnePath(template: string): boolean {
  return template.search(PLACEHOLDER) < 0
}

function unescape(text: string): string {
  return text.replaceAll('%7B', '{').replaceAll('%7D', '}')
}
