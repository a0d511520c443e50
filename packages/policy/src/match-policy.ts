import { principalOf } from '@ambit/core'
import {
  accountKey,
  type CidrMatch,
  type Clause,
  type ConnectionField,
  type Match,
  type Rule,
  type ServiceAccountMatch,
  type StringMatch,
} from '@ambit/state'
import type { ConnectionFacts } from './verdict.types.ts'

/** The facts in the form patterns are compared with, computed once per verdict. */
export interface MatchFacts {
  readonly connection: ConnectionFacts
  /** `td/ns/x/sa/y`, without `spiffe://`; undefined for plaintext. */
  readonly principal: string | undefined
}

export function matchFactsOf(connection: ConnectionFacts): MatchFacts {
  const { sourceIdentity } = connection
  return { connection, principal: sourceIdentity && principalOf(sourceIdentity) }
}

/** What policies are looked up by. It must say of each field what {@link ruleMatches} compares, and undefined only for what nothing hits. */
export function fieldOf({ connection, principal }: MatchFacts, field: ConnectionField): string | number | undefined {
  const { source, destination, sourceIdentity } = connection
  switch (field) {
    case 'principal':
      return principal
    case 'serviceAccount':
      return sourceIdentity && accountKey(sourceIdentity)
    case 'namespace':
      // Namespaces of plaintext are tested as the empty string.
      return sourceIdentity?.namespace ?? ''
    case 'sourceIp':
      return source.ip
    case 'destinationIp':
      return destination.ip
    case 'destinationPort':
      return destination.port
  }
}

// All clauses must hold: a rule without clauses matches everything.
export function ruleMatches(rule: Rule, facts: MatchFacts): boolean {
  return rule.clauses.every((clause) => clauseMatches(clause, facts))
}

// Matches are alternatives, yet a clause without any holds.
function clauseMatches({ matches }: Clause, facts: MatchFacts): boolean {
  return matches.length === 0 || matches.some((match) => matchHolds(match, facts))
}

/** Six dimensions must hold; a match that constrains none of them never does. */
function matchHolds(match: Match, { connection, principal }: MatchFacts): boolean {
  if (isEmpty(match)) return false
  const { source, destination, sourceIdentity } = connection
  const ports = destination.port
  return (
    dimension(match.destinationIps, match.notDestinationIps, (network: CidrMatch) =>
      network.contains(destination.ip),
    ) &&
    dimension(match.sourceIps, match.notSourceIps, (network: CidrMatch) => network.contains(source.ip)) &&
    dimension(match.destinationPorts, match.notDestinationPorts, (port: number) => port === ports) &&
    dimension(
      match.serviceAccounts,
      match.notServiceAccounts,
      (account: ServiceAccountMatch) =>
        sourceIdentity !== undefined &&
        account.serviceAccount === sourceIdentity.serviceAccount &&
        account.namespace === sourceIdentity.namespace,
    ) &&
    // Without an identity no principal pattern hits, not even presence.
    dimension(match.principals, match.notPrincipals, (pattern: StringMatch) => stringHits(pattern, principal)) &&
    // Namespaces of plaintext are tested as the empty string.
    dimension(match.namespaces, match.notNamespaces, (pattern: StringMatch) =>
      stringHits(pattern, sourceIdentity?.namespace ?? ''),
    )
  )
}

function isEmpty(match: Match): boolean {
  return (
    match.destinationIps.length === 0 &&
    match.notDestinationIps.length === 0 &&
    match.sourceIps.length === 0 &&
    match.notSourceIps.length === 0 &&
    match.destinationPorts.length === 0 &&
    match.notDestinationPorts.length === 0 &&
    match.serviceAccounts.length === 0 &&
    match.notServiceAccounts.length === 0 &&
    match.principals.length === 0 &&
    match.notPrincipals.length === 0 &&
    match.namespaces.length === 0 &&
    match.notNamespaces.length === 0
  )
}

/** No positive entry given or one hits, and no negative one does. */
function dimension<T>(positive: readonly T[], negative: readonly T[], hits: (entry: T) => boolean): boolean {
  return (positive.length === 0 || positive.some(hits)) && !negative.some(hits)
}

function stringHits(pattern: StringMatch, text: string | undefined): boolean {
  if (pattern.kind === 'any') return true
  if (text === undefined) return false
  switch (pattern.kind) {
    case 'exact':
      return text === pattern.value
    case 'prefix':
      return text.startsWith(pattern.value)
    case 'suffix':
      return text.endsWith(pattern.value)
    case 'presence':
      return text !== ''
  }
}
