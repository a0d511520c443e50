import { RE2JS } from 're2js'
import { MAX_PATTERN_CHARACTERS, MAX_PATTERN_INSTRUCTIONS } from '../limits.ts'
import { RejectionSignal, reject } from '../rejection.ts'
import type { Replacement, WholeTextPattern } from './destination.types.ts'

/** Compiles an RE2 expression for whole texts; rejects what RE2 does not know and what would be too slow. */
export function compilePattern(source: string, path: string): WholeTextPattern {
  const program = compileBounded(source, path)
  return { source, test: (text) => program.testExact(text) }
}

/** For a substitution in which `\1` is the first group and `\0` the match (RE2). */
export function compileReplacement(source: string, substitution: string, path: string): Replacement {
  const program = compileBounded(source, path)
  const parts = substitutionParts(substitution, program.groupCount(), path)
  const apply = (text: string): string => {
    const matcher = program.matcher(text)
    let replaced = ''
    let end = 0
    while (matcher.find()) {
      replaced += text.slice(end, matcher.start())
      for (const part of parts) replaced += typeof part === 'string' ? part : (matcher.group(part) ?? '')
      end = matcher.end()
    }
    return replaced + text.slice(end)
  }
  return { source, apply }
}

function substitutionParts(substitution: string, groups: number, path: string): readonly (string | number)[] {
  return substitution.split(/(\\[\s\S]?)/).map((part) => {
    if (!part.startsWith('\\')) return part
    if (part === '\\\\') return '\\'
    const group = Number(part.slice(1) || Number.NaN)
    return group <= groups ? group : reject('bad-pattern', `${path}: ${part} is no group of the pattern`)
  })
}

function compileBounded(source: string, path: string): RE2JS {
  if (source.length > MAX_PATTERN_CHARACTERS) {
    reject('bad-pattern', `${path}: ${source.length} characters, want at most ${MAX_PATTERN_CHARACTERS}`)
  }
  const program = compile(source, path)
  if (program.programSize() > MAX_PATTERN_INSTRUCTIONS) {
    reject('bad-pattern', `${path}: compiles to more than ${MAX_PATTERN_INSTRUCTIONS} instructions`)
  }
  return program
}

function compile(source: string, path: string): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    return reject('bad-pattern', `${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Why no proxy would take the expression; undefined: it would. */
export function patternProblem(source: string): string | undefined {
  try {
    compileBounded(source, 'pattern')
    return undefined
  } catch (error) {
    if (error instanceof RejectionSignal) return error.rejection.message.replace(/^pattern: /, '')
    throw error
  }
}
