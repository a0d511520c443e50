import { RE2JS } from 're2js'
import { MAX_PATTERN_CHARACTERS, MAX_PATTERN_INSTRUCTIONS } from '../limits.ts'
import { reject } from '../rejection.ts'
import type { WholeTextPattern } from './destination.types.ts'

/** Compiles an RE2 expression for whole texts; rejects what RE2 does not know and what would be too slow. */
export function compilePattern(source: string, path: string): WholeTextPattern {
  if (source.length > MAX_PATTERN_CHARACTERS) {
    reject('bad-pattern', `${path}: ${source.length} characters, want at most ${MAX_PATTERN_CHARACTERS}`)
  }
  const program = compile(source, path)
  if (program.programSize() > MAX_PATTERN_INSTRUCTIONS) {
    reject('bad-pattern', `${path}: compiles to more than ${MAX_PATTERN_INSTRUCTIONS} instructions`)
  }
  return { source, test: (text) => program.testExact(text) }
}

function compile(source: string, path: string): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    return reject('bad-pattern', `${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
