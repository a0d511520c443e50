import type { Either, StringMatch } from '@ambit/state'

export type TextTest = (text: string | undefined) => boolean

/** From how many exact values on a set is asked instead of each of them. */
const SET_FROM = 6

/**
 * Whether a text satisfies both lists: one of `some` hits, or it is empty, and none of `none` does. What is absent is hit by nothing.
 * Presence means not empty, unless `emptyCounts`.
 */
export function compileTexts({ some, none }: Either<StringMatch>, emptyCounts = false): TextTest {
  const wanted = compileAny(some, emptyCounts)
  const unwanted = compileAny(none, emptyCounts)
  if (some.length === 0) return (text) => !unwanted(text)
  if (none.length === 0) return wanted
  return (text) => wanted(text) && !unwanted(text)
}

/** As {@link compileTexts}, of several texts at once: each list is asked whether any of the texts is hit. */
export function compileTextLists({ some, none }: Either<StringMatch>): (texts: readonly unknown[]) => boolean {
  const wanted = compileAny(some, false)
  const unwanted = compileAny(none, false)
  const any = (texts: readonly unknown[], test: TextTest): boolean => {
    for (const text of texts) if (typeof text === 'string' && test(text)) return true
    return false
  }
  return (texts) => (some.length === 0 || any(texts, wanted)) && !any(texts, unwanted)
}

/** Whether any of the patterns hits. */
function compileAny(patterns: readonly StringMatch[], emptyCounts: boolean): TextTest {
  const exact: string[] = []
  const others: TextTest[] = []
  for (const pattern of patterns) {
    if (pattern.kind === 'exact' && 'value' in pattern) exact.push(pattern.value)
    else others.push(compileOne(pattern, emptyCounts))
  }
  if (exact.length >= SET_FROM) {
    const set = new Set(exact)
    others.unshift((text) => text !== undefined && set.has(text))
  } else
    others.unshift(
      ...exact.map(
        (value): TextTest =>
          (text) =>
            text === value,
      ),
    )
  const [first, second] = others
  if (first === undefined) return () => false
  if (second === undefined) return first
  return (text) => {
    for (const test of others) if (test(text)) return true
    return false
  }
}

function compileOne(pattern: Exclude<StringMatch, { readonly kind: 'exact' }>, emptyCounts: boolean): TextTest {
  if (pattern.kind === 'any') return () => true
  if (pattern.kind === 'presence') return (text) => text !== undefined && (emptyCounts || text !== '')
  const { kind, value } = pattern
  return kind === 'prefix' ? (text) => text?.startsWith(value) === true : (text) => text?.endsWith(value) === true
}
