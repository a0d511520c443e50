import type { ServiceAccountMatch, StringMatch } from '@ambit/state'
import type { Candidate, Candidates } from './candidate.types.ts'
import { textCandidates } from './text-candidates.ts'

/** What policies say about clients. */
export interface ClientPatterns {
  readonly principals: readonly StringMatch[]
  readonly namespaces: readonly StringMatch[]
  readonly serviceAccounts: readonly ServiceAccountMatch[]
  readonly trustDomains: readonly StringMatch[]
}

interface Triple {
  readonly domain: Candidate
  readonly namespace: Candidate
  readonly account: Candidate
}

const PARTS = 5
export const OF_ANOTHER_DOMAIN = ' of another trust domain'

/** Principals, `td/ns/x/sa/y`, for every way in which clients can be told apart, and somebody without an identity. */
export function clientCandidates(patterns: ClientPatterns, trustDomain: string): Candidates {
  const written = patterns.principals.map(partsOf)
  const ofPart = (name: keyof Parts): readonly StringMatch[] => written.flatMap((parts) => parts?.[name] ?? [])
  const domains = withOwn(trustDomain, [
    ...patterns.trustDomains,
    ...ofPart('domain'),
    ...patterns.principals.flatMap(domainOf),
  ])
  const namespaces = textCandidates([...patterns.namespaces, ...ofPart('namespace')], {
    fillers: ['-any'],
    start: 'any-',
    others: ['other', 'another', 'elsewhere', 'x-other-x'],
  })
  const accounts = textCandidates(ofPart('account'), {
    fillers: ['-any'],
    start: 'any-',
    others: ['other', 'another', 'someone', 'x-other-x'],
  })
  const triples: Triple[] = []
  const add = (domain: Candidate, namespace: Candidate, account: Candidate): void => {
    triples.push({ domain, namespace, account })
  }
  const named = (value: string): Candidate => ({ value, label: value, kind: 'named' })
  for (const domain of domains.list) {
    for (const exact of patterns.principals.flatMap(accountOf))
      add(domain, named(exact.namespace), named(exact.account))
    for (const one of patterns.serviceAccounts) add(domain, named(one.namespace), named(one.serviceAccount))
    for (const namespace of namespaces.list) for (const account of accounts.list) add(domain, namespace, account)
  }
  const nobody: Candidate = { value: undefined, label: 'no identity', kind: 'none' }
  return {
    list: [...triples.map((triple) => candidateOf(triple, trustDomain)).toSorted(othersFirst), nobody],
    partial: domains.partial || namespaces.partial || accounts.partial,
  }
}

function othersFirst(a: Candidate, b: Candidate): number {
  return Number(b.kind === 'other') - Number(a.kind === 'other')
}

function withOwn(own: string, patterns: readonly StringMatch[]): Candidates {
  const others = textCandidates(patterns, { fillers: ['.any'], start: 'any.', others: ['other.domain', 'x.other.x'] })
  const list = others.list.filter(({ value }) => value !== own)
  return { list: [{ value: own, label: own, kind: 'other' }, ...list], partial: others.partial }
}

function candidateOf({ domain, namespace, account }: Triple, own: string): Candidate {
  const value = `${domain.value ?? ''}/ns/${namespace.value ?? ''}/sa/${account.value ?? ''}`
  const part = ({ kind, label }: Candidate): string => (kind === 'other' ? '*' : label)
  const local = `${part(namespace)}/${part(account)}`
  if (domain.value === own) return { value, label: local, kind: local === '*/*' ? 'other' : 'named' }
  const foreign = domain.kind === 'other' && local === '*/*'
  const label =
    domain.kind === 'other' ? local + OF_ANOTHER_DOMAIN : `${domain.label}/ns/${part(namespace)}/sa/${part(account)}`
  return { value, label, kind: foreign ? 'other' : 'named' }
}

interface Parts {
  readonly domain: readonly StringMatch[]
  readonly namespace: readonly StringMatch[]
  readonly account: readonly StringMatch[]
}

/** What a pattern of principals says about each part; undefined where it is exact, or says nothing that a principal can be. */
function partsOf(pattern: StringMatch): Parts | undefined {
  if (pattern.kind !== 'prefix' && pattern.kind !== 'suffix') return undefined
  const words = pattern.value.split('/')
  if (words.length > PARTS) return undefined
  const first = pattern.kind === 'prefix' ? 0 : PARTS - words.length
  const open = pattern.kind === 'prefix' ? words.length - 1 : 0
  const at = (place: number): readonly StringMatch[] => {
    const word = words[place - first]
    if (word === undefined || (word === '' && place - first === open)) return []
    const kind = place - first === open ? pattern.kind : 'exact'
    return [{ kind, value: word }]
  }
  return { domain: at(0), namespace: at(2), account: at(4) }
}

function accountOf(pattern: StringMatch): readonly { readonly namespace: string; readonly account: string }[] {
  if (pattern.kind !== 'exact') return []
  const [, , namespace = '', , account = ''] = pattern.value.split('/')
  return namespace === '' || account === '' ? [] : [{ namespace, account }]
}

function domainOf(pattern: StringMatch): readonly StringMatch[] {
  const slash = pattern.kind === 'exact' ? pattern.value.indexOf('/') : -1
  return pattern.kind === 'exact' && slash > 0 ? [{ kind: 'exact', value: pattern.value.slice(0, slash) }] : []
}
