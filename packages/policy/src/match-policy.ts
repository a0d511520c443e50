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

/** One of the six dimensions of a match, with its two lists. */
export interface Dimension {
  readonly name: 'destinationIps' | 'sourceIps' | 'destinationPorts' | 'serviceAccounts' | 'principals' | 'namespaces'
  holds(match: Match, facts: MatchFacts): boolean
}

export const DESTINATION_IPS: Dimension = {
  name: 'destinationIps',
  holds: ({ destinationIps, notDestinationIps }, { connection }) =>
    listsHold(destinationIps, notDestinationIps, contains, connection.destination.ip),
}

export const SOURCE_IPS: Dimension = {
  name: 'sourceIps',
  holds: ({ sourceIps, notSourceIps }, { connection }) =>
    listsHold(sourceIps, notSourceIps, contains, connection.source.ip),
}

export const DESTINATION_PORTS: Dimension = {
  name: 'destinationPorts',
  holds: ({ destinationPorts, notDestinationPorts }, { connection }) =>
    listsHold(destinationPorts, notDestinationPorts, isSame, connection.destination.port),
}

export const SERVICE_ACCOUNTS: Dimension = {
  name: 'serviceAccounts',
  holds: ({ serviceAccounts, notServiceAccounts }, { connection }) =>
    listsHold(serviceAccounts, notServiceAccounts, isAccount, connection.sourceIdentity),
}

/** Without an identity no principal pattern hits, not even presence. */
export const PRINCIPALS: Dimension = {
  name: 'principals',
  holds: ({ principals, notPrincipals }, { principal }) => listsHold(principals, notPrincipals, stringHits, principal),
}

/** Namespaces of plaintext are tested as the empty string. */
export const NAMESPACES: Dimension = {
  name: 'namespaces',
  holds: ({ namespaces, notNamespaces }, { connection }) =>
    listsHold(namespaces, notNamespaces, stringHits, connection.sourceIdentity?.namespace ?? ''),
}

/** Six dimensions must hold; a match that constrains none of them never does. */
function matchHolds(match: Match, facts: MatchFacts): boolean {
  return (
    DESTINATION_IPS.holds(match, facts) &&
    SOURCE_IPS.holds(match, facts) &&
    DESTINATION_PORTS.holds(match, facts) &&
    SERVICE_ACCOUNTS.holds(match, facts) &&
    PRINCIPALS.holds(match, facts) &&
    NAMESPACES.holds(match, facts) &&
    // What is empty holds all six.
    !isEmpty(match)
  )
}

export function isEmpty(match: Match): boolean {
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
function listsHold<T, F>(
  positive: readonly T[],
  negative: readonly T[],
  hits: (entry: T, fact: F) => boolean,
  fact: F,
): boolean {
  if (positive.length > 0 && !anyHits(positive, hits, fact)) return false
  return negative.length === 0 || !anyHits(negative, hits, fact)
}

function anyHits<T, F>(entries: readonly T[], hits: (entry: T, fact: F) => boolean, fact: F): boolean {
  for (const entry of entries) if (hits(entry, fact)) return true
  return false
}

function contains(network: CidrMatch, address: ConnectionFacts['source']['ip']): boolean {
  return network.contains(address)
}

function isSame(port: number, actual: number): boolean {
  return port === actual
}

function isAccount(account: ServiceAccountMatch, identity: ConnectionFacts['sourceIdentity']): boolean {
  return (
    identity !== undefined &&
    account.serviceAccount === identity.serviceAccount &&
    account.namespace === identity.namespace
  )
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
