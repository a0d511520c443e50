import type { PathNormalization, StringMatch } from '@ambit/state'
import type { Candidates } from './candidate.types.ts'
import { clientCandidates } from './client-candidates.ts'
import type { Dimension } from './dimension.ts'
import { networkCandidates } from './network-candidates.ts'
import { pathCandidates } from './path-candidates.ts'
import type { Patterns } from './patterns.ts'
import { textCandidates } from './text-candidates.ts'
import { claimCandidates, subjectCandidates } from './token-candidates.ts'

export interface CandidateOptions {
  readonly trustDomain: string
  readonly normalization: PathNormalization
  /** What clients of the destination dial. */
  readonly host: string
  /** Whether the proxies before the destination look at it: what they do not see is never there. */
  readonly isSeen: (dimension: Dimension) => boolean
}

const NOTHING: Candidates = { list: [{ value: undefined, label: 'none', kind: 'none' }], partial: false }
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'REPORT']

/** What to try of a dimension, the plainest first. */
export function candidatesOf(dimension: Dimension, patterns: Patterns, options: CandidateOptions): Candidates {
  if (!options.isSeen(dimension)) return NOTHING
  const texts = patterns.texts.get(dimension) ?? []
  switch (dimension) {
    case 'client':
      return clientCandidates(patterns, options.trustDomain)
    case 'sourceIp':
      return networkCandidates(patterns.networks)
    case 'path':
      return pathCandidates(patterns.paths, options.normalization)
    case 'subject': {
      const { requestPrincipals: principals, issuers, subjects } = patterns
      return subjectCandidates({ principals, issuers, subjects })
    }
    case 'host':
      return present(texts.map(inLowerCase), [options.host, 'other.example', 'x.other.x'])
    case 'method':
      return present(texts, METHODS)
    default:
      return claimCandidates(texts)
  }
}

/** Of what is never absent, nor empty. */
function present(patterns: readonly StringMatch[], others: readonly string[]): Candidates {
  const { list, partial } = textCandidates(patterns, { fillers: ['any'], others })
  const kept = list.filter(({ value }) => value !== '')
  return { list: kept.toSorted((a, b) => Number(b.kind === 'other') - Number(a.kind === 'other')), partial }
}

function inLowerCase(pattern: StringMatch): StringMatch {
  return 'value' in pattern ? { ...pattern, value: pattern.value.toLowerCase() } : pattern
}
