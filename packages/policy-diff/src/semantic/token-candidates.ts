import type { StringMatch } from '@ambit/state'
import type { Candidate, Candidates } from './candidate.types.ts'
import { textCandidates } from './text-candidates.ts'

const ISSUER = 'https://issuer.example'
const SUBJECT = 'somebody'
const NO_TOKEN: Candidate = { value: undefined, label: 'no token', kind: 'none' }

/** Issuer and subject are kept apart by what neither can be written with in a policy. */
const BETWEEN = '\n'

export interface SubjectPatterns {
  /** `issuer/subject`. */
  readonly principals: readonly StringMatch[]
  /** Of the claims `iss` and `sub`. */
  readonly issuers: readonly StringMatch[]
  readonly subjects: readonly StringMatch[]
}

export function splitSubject(value: string): { readonly issuer: string; readonly subject: string } {
  const at = value.indexOf(BETWEEN)
  return { issuer: value.slice(0, at), subject: value.slice(at + 1) }
}

/** Issuers with subjects for every way in which tokens can be told apart by them, and no token at all. */
export function subjectCandidates({ principals, issuers, subjects }: SubjectPatterns): Candidates {
  const texts = { fillers: ['any'], others: [] }
  const issuerTexts = textCandidates([...issuers, ...principals.flatMap(issuerOf)], { ...texts, others: [ISSUER] })
  const subjectTexts = textCandidates([...subjects, ...principals.flatMap(subjectOf)], {
    ...texts,
    others: [SUBJECT, 'x-somebody-x'],
  })
  const list = issuerTexts.list.flatMap((issuer) =>
    subjectTexts.list.map((subject): Candidate => {
      const other = issuer.kind === 'other' && subject.kind === 'other'
      const part = ({ kind, label }: Candidate): string => (kind === 'other' ? '*' : label)
      return {
        value: `${issuer.value ?? ''}${BETWEEN}${subject.value ?? ''}`,
        label: `${part(issuer)}/${part(subject)}`,
        kind: other ? 'other' : 'named',
      }
    }),
  )
  list.sort((a, b) => Number(b.kind === 'other') - Number(a.kind === 'other'))
  return { list: [...list, NO_TOKEN], partial: issuerTexts.partial || subjectTexts.partial }
}

/** A pattern is split at its last slash, as those who judge it do. */
function issuerOf(pattern: StringMatch): readonly StringMatch[] {
  if (!('value' in pattern)) return []
  const slash = pattern.value.lastIndexOf('/')
  if (slash < 0) return pattern.kind === 'prefix' ? [pattern] : []
  const value = pattern.value.slice(0, slash)
  return [{ kind: pattern.kind === 'suffix' ? 'suffix' : 'exact', value }]
}

function subjectOf(pattern: StringMatch): readonly StringMatch[] {
  if (!('value' in pattern)) return []
  const slash = pattern.value.lastIndexOf('/')
  if (slash < 0) return pattern.kind === 'suffix' ? [pattern] : []
  const value = pattern.value.slice(slash + 1)
  return [{ kind: pattern.kind === 'prefix' ? 'prefix' : 'exact', value }]
}

/** Values of a claim, and a token without it. */
export function claimCandidates(patterns: readonly StringMatch[]): Candidates {
  const texts = textCandidates(patterns, { fillers: ['any'], others: ['other', 'x-other-x'] })
  const absent: Candidate = { value: undefined, label: 'none', kind: 'none' }
  return { list: [absent, ...texts.list], partial: texts.partial }
}
