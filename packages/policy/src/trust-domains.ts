import { DEFAULT_TRUST_DOMAIN } from '@ambit/core'
import type { Either, StringMatch } from '@ambit/state'

/** What counts as the mesh's own trust domain. */
export interface TrustDomains {
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
}

/**
 * Patterns of principals, those that begin with the mesh's trust domain or one of its aliases repeated for each of them. `cluster.local` in a
 * policy means the mesh's own whatever that is called (Istio).
 */
export function withAliases(patterns: Either<StringMatch>, domains: TrustDomains | undefined): Either<StringMatch> {
  if (domains === undefined) return patterns
  const names = [...new Set([domains.trustDomain, ...domains.trustDomainAliases])]
  const expand = (list: readonly StringMatch[]): readonly StringMatch[] =>
    list.flatMap((pattern) => expandPattern(pattern, names))
  return { some: expand(patterns.some), none: expand(patterns.none) }
}

function expandPattern(pattern: StringMatch, names: readonly string[]): readonly StringMatch[] {
  if (pattern.kind !== 'exact' && pattern.kind !== 'prefix') return [pattern]
  const slash = pattern.value.indexOf('/')
  const own = pattern.value.slice(0, slash)
  if (slash < 0 || !(names.includes(own) || own === DEFAULT_TRUST_DOMAIN)) return [pattern]
  const rest = pattern.value.slice(slash)
  return [...new Set([own, ...names])].map((name) => ({ kind: pattern.kind, value: name + rest }))
}
