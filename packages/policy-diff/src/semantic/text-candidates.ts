import type { StringMatch } from '@ambit/state'
import { MAX_FILLED_PATTERNS } from '../limits.ts'
import type { Candidate, Candidates } from './candidate.types.ts'
import { freshWord } from './filler.ts'

export interface TextOptions {
  /** What a pattern is filled with where it says nothing, readable ones first. */
  readonly fillers: readonly string[]
  /** Before a suffix, where a value must begin so; else nothing. */
  readonly start?: string | undefined
  /** Values nobody names; the first that no pattern hits stands for all others. */
  readonly others: readonly string[]
}

/**
 * For every way in which texts can be hit by some of the patterns and missed by the rest, a text that is. A prefix and a suffix are also
 * tried together.
 */
export function textCandidates(patterns: readonly StringMatch[], options: TextOptions): Candidates {
  const { fillers, start = '', others } = options
  const named = (value: string, label = value): Candidate => ({ value, label, kind: 'named' })
  const exact = patterns.flatMap((pattern) => (pattern.kind === 'exact' ? [named(pattern.value)] : []))
  const prefixes = patterns.flatMap((pattern) => (pattern.kind === 'prefix' ? [pattern.value] : []))
  const suffixes = patterns.flatMap((pattern) => (pattern.kind === 'suffix' ? [pattern.value] : []))
  const list: Candidate[] = [...exact]
  const fresh = freshWord(patterns.flatMap((pattern) => ('value' in pattern ? [pattern.value] : [])))
  const pairs = prefixes.length * suffixes.length
  // A readable word may be hit by other patterns by chance; the fresh one is not.
  for (const word of fresh === undefined ? fillers : [...fillers, fresh]) {
    for (const prefix of prefixes) list.push(named(prefix + word, `${prefix}*`))
    for (const suffix of suffixes) list.push(named(start + word + suffix, `*${suffix}`))
    const both = prefixes.flatMap((prefix) =>
      suffixes.map((suffix) => named(prefix + word + suffix, `${prefix}*${suffix}`)),
    )
    list.push(...both.slice(0, MAX_FILLED_PATTERNS))
  }
  const free = [...others, ...(fresh === undefined ? [] : [start + fresh])].filter(
    (value) => !patterns.some((pattern) => isHit(pattern, value)),
  )
  for (const value of free) list.push({ value, label: value, kind: 'other' })
  return {
    list,
    partial: pairs > MAX_FILLED_PATTERNS || (fresh === undefined && prefixes.length + suffixes.length > 0),
  }
}

function isHit(pattern: StringMatch, value: string): boolean {
  if (pattern.kind === 'exact') return value === pattern.value
  if (pattern.kind === 'prefix') return value.startsWith(pattern.value)
  return pattern.kind === 'suffix' && value.endsWith(pattern.value)
}
