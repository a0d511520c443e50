import { normalizePath } from '@ambit/policy'
import type { PathNormalization, PathPattern, PathSegment } from '@ambit/state'
import { MAX_FILLED_PATTERNS } from '../limits.ts'
import type { Candidate, Candidates } from './candidate.types.ts'
import { freshWord } from './filler.ts'
import { textCandidates } from './text-candidates.ts'

const FILLER = 'any'
const OTHERS = ['/', '/other', '/other/path', '/x/y/z/other', '/~other.~']

/**
 * Paths for every way in which patterns can be hit. A template is filled with words of the other patterns, so that what both hit is
 * found too. Only paths that a proxy can see: in the one spelling it judges.
 */
export function pathCandidates(patterns: readonly PathPattern[], normalization: PathNormalization): Candidates {
  const texts = patterns.flatMap((pattern) => (pattern.kind === 'text' ? [pattern.text] : []))
  const fresh = freshWord(patterns.map(sourceOf))
  const words = fresh === undefined ? [FILLER] : [FILLER, fresh]
  const plain = textCandidates(texts, { fillers: [...words, deepest(patterns, words)], start: '/', others: OTHERS })
  const found: Candidate[] = [...plain.list]
  let partial = plain.partial || (fresh === undefined && patterns.length > texts.length)
  for (const pattern of patterns) {
    if (pattern.kind === 'text') continue
    const filled = fill(pattern.segments, optionsOf(patterns, pattern, words))
    partial ||= filled.partial
    for (const [i, value] of filled.paths.entries())
      found.push(i === 0 ? named(value, pattern.source) : named(value, `such as ${value}`))
  }
  const isSeen = ({ value }: Candidate): boolean => {
    if (value === undefined) return false
    const normal = normalizePath(value, normalization)
    return normal.kind === 'path' && normal.path === value && normal.target === value
  }
  const shapes = patterns.flatMap((pattern) => (pattern.kind === 'template' ? [shapeOf(pattern.segments)] : []))
  // What a template hits is no longer what nobody names.
  const isNamed = ({ value }: Candidate): boolean => shapes.some((shape) => shape.test(value ?? ''))
  const list = found.filter((candidate) => isSeen(candidate) && !(candidate.kind === 'other' && isNamed(candidate)))
  return { list, partial }
}

/** More segments than any template has. */
function deepest(patterns: readonly PathPattern[], words: readonly string[]): string {
  const most = Math.max(0, ...patterns.map((pattern) => (pattern.kind === 'template' ? pattern.segments.length : 0)))
  return Array.from({ length: most + 1 }, () => words.at(-1) ?? FILLER).join('/')
}

function shapeOf(segments: readonly PathSegment[]): RegExp {
  const parts = segments.map((segment) => {
    if (segment.kind === 'literal') return RegExp.escape(segment.value)
    return segment.kind === 'one' ? '[^/]+' : '.*'
  })
  return new RegExp(`^/${parts.join('/')}$`)
}

function sourceOf(pattern: PathPattern): string {
  if (pattern.kind === 'template') return pattern.source
  return 'value' in pattern.text ? pattern.text.value : ''
}

function named(value: string, label: string): Candidate {
  return { value, label, kind: 'named' }
}

interface Options {
  /** For one segment at a place. */
  readonly segment: (place: number) => readonly string[]
  /** For any number of segments from a place on. */
  readonly rest: (place: number) => readonly string[]
}

/** What other patterns have at a place of a path; what ends like a pattern may stand anywhere. */
function optionsOf(patterns: readonly PathPattern[], self: PathPattern, fillers: readonly string[]): Options {
  const fixed = patterns
    .filter((pattern) => pattern !== self)
    .flatMap((pattern) => fillers.flatMap((word) => segmentsOf(pattern, word)))
  const endings = valuesOf(patterns, 'suffix')
  const ended = endings.flatMap((ending) => fillers.map((word) => word + ending))
  const beginnings = valuesOf(patterns, 'prefix').map((prefix) => prefix.slice(prefix.lastIndexOf('/') + 1))
  const words = [...ended, ...beginnings.flatMap((beginning) => ended.map((ending) => beginning + ending))]
  const single = words.flatMap((word) => word.split('/'))
  return {
    segment: (place) => unique([...fillers, ...fixed.flatMap((segments) => segments[place] || []), ...single]),
    rest: (place) =>
      unique([
        ...fillers,
        ...fillers.map((word) => `${word}/${word}`),
        '',
        ...fixed.flatMap((segments) => (segments.length > place ? [segments.slice(place).join('/')] : [])),
        ...ended,
      ]),
  }
}

function valuesOf(patterns: readonly PathPattern[], kind: 'prefix' | 'suffix'): readonly string[] {
  return patterns.flatMap((pattern) =>
    pattern.kind === 'text' && pattern.text.kind === kind ? [pattern.text.value] : [],
  )
}

function segmentsOf(pattern: PathPattern, filler: string): readonly (readonly string[])[] {
  if (pattern.kind === 'template') {
    const words = (rest: readonly string[]): readonly string[] =>
      pattern.segments.flatMap((segment) => {
        if (segment.kind === 'any-number') return rest
        return segment.kind === 'literal' ? segment.value : filler
      })
    const hasRest = pattern.segments.some(({ kind }) => kind === 'any-number')
    return hasRest ? [words([]), words([filler]), words([filler, filler])] : [words([])]
  }
  const { text } = pattern
  if (text.kind !== 'exact' && text.kind !== 'prefix') return []
  return [`${text.value}${text.kind === 'prefix' ? filler : ''}`.slice(1).split('/')]
}

/** The template with each choice of words; the first is the plainest. */
function fill(
  segments: readonly PathSegment[],
  options: Options,
): { readonly paths: readonly string[]; readonly partial: boolean } {
  let heads: readonly string[] = ['']
  let partial = false
  for (const [place, segment] of segments.entries()) {
    const choices =
      segment.kind === 'literal'
        ? [segment.value]
        : segment.kind === 'one'
          ? options.segment(place)
          : options.rest(place)
    const longer = heads.flatMap((head) => choices.map((choice) => `${head}/${choice}`))
    partial ||= longer.length > MAX_FILLED_PATTERNS
    heads = longer.slice(0, MAX_FILLED_PATTERNS)
  }
  return { paths: heads, partial }
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}
