import type { StringMatch } from '../authorization.types.ts'

/** `*` anything present, `*x` ends with, `x*` starts with, else exactly. */
export function stringMatch(pattern: string): StringMatch {
  if (pattern === '*') return { kind: 'presence' }
  if (pattern.startsWith('*')) return { kind: 'suffix', value: pattern.slice(1) }
  if (pattern.endsWith('*')) return { kind: 'prefix', value: pattern.slice(0, -1) }
  return { kind: 'exact', value: pattern }
}
