import type { waypointpb as pb } from '@ambit/api'
import { reject } from '../rejection.ts'
import { compilePattern } from './compile-pattern.ts'
import type { TextMatch } from './destination.types.ts'

/** Reads a condition on a text; one of a kind that is not known is refused. */
export function textMatchOf(
  value: pb.TextMatch['value'] | Exclude<pb.ValueMatch['value'], { readonly case: 'present' }>,
  path: string,
): TextMatch {
  switch (value.case) {
    case 'exact':
    case 'prefix':
      return { kind: value.case, value: value.value }
    case 'regex':
      return { kind: 'regex', pattern: compilePattern(value.value, path) }
    case undefined:
      return reject('bad-match', `${path}: a condition without a kind this version knows`)
  }
}
