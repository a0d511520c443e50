import { type Authorization, type Match, type PolicyLookup, policyKey, type Rule } from '@ambit/state'
import type { ClauseEvidence, PolicyEvidence, RuleEvidence, Trace } from './evidence.types.ts'
import { MAX_EXPLAINED_RULES } from './limits.ts'
import {
  DESTINATION_IPS,
  DESTINATION_PORTS,
  type Dimension,
  isEmpty,
  type MatchFacts,
  matchFactsOf,
  NAMESPACES,
  PRINCIPALS,
  ruleMatches,
  SERVICE_ACCOUNTS,
  SOURCE_IPS,
} from './match-policy.ts'
import { outcomeOf, ruleEvidence } from './rule-evidence.ts'
import { spellAccount, spellNetwork, spellText } from './spell-pattern.ts'
import type { ConnectionFacts } from './verdict.types.ts'

/** Evidence of a policy as proxies have it: which clause and match of the rule, and which of the lists. */
export interface ConnectionClause extends ClauseEvidence {
  readonly clause: number
  readonly match: number
  /** `empty`: the match lists nothing, and never holds. */
  readonly dimension: Dimension['name'] | 'empty'
}

/** What each policy says of a connection, and what comes of it: by the functions that `authorizeConnection` decides by. */
export function traceConnection(connection: ConnectionFacts, lookup: PolicyLookup): Trace<ConnectionClause> {
  const { policies, missing } = lookup.policiesFor(connection.workload)
  const facts = matchFactsOf(connection)
  let left = MAX_EXPLAINED_RULES
  const all = inOrder(policies).map((policy) => {
    const evidence = policyEvidence(policy, facts, left)
    left -= evidence.rules.length
    return evidence
  })
  return { ...outcomeOf(all, false), policies: all, missing }
}

/** DENY is asked before ALLOW; what only reports comes last. */
function inOrder(policies: readonly Authorization[]): readonly Authorization[] {
  const rank = ({ action, dryRun }: Authorization): number => 2 * Number(dryRun) + Number(action === 'Allow')
  return policies.toSorted((a, b) => rank(a) - rank(b))
}

function policyEvidence(policy: Authorization, facts: MatchFacts, left: number): PolicyEvidence<ConnectionClause> {
  const rules = policy.rules.flatMap((rule, index) =>
    index < left || ruleMatches(rule, facts) ? [connectionRule(rule, index, facts)] : [],
  )
  const { action, dryRun } = policy
  return { policy: policyKey(policy), action, dryRun, matched: rules.some(({ matched }) => matched), rules }
}

function connectionRule({ clauses }: Rule, index: number, facts: MatchFacts): RuleEvidence<ConnectionClause> {
  return ruleEvidence(
    index,
    clauses.map(({ matches }, clause) =>
      matches.map((match, at) =>
        matchEvidence(match, facts).map((found) => ({
          field: `clauses[${clause}].matches[${at}].${found.dimension}`,
          ...found,
          clause,
          match: at,
        })),
      ),
    ),
  )
}

type MatchEvidence = Omit<ConnectionClause, 'field' | 'clause' | 'match'>

function matchEvidence(match: Match, facts: MatchFacts): readonly MatchEvidence[] {
  if (isEmpty(match)) return [{ dimension: 'empty', holds: false, wanted: [], notWanted: [] }]
  return SPELLED.flatMap(({ dimension, wanted, notWanted, actual }) => {
    const asked = { wanted: wanted(match), notWanted: notWanted(match) }
    if (asked.wanted.length === 0 && asked.notWanted.length === 0) return []
    const found = actual(facts)
    const holds = dimension.holds(match, facts)
    return [{ dimension: dimension.name, holds, ...asked, ...(found === undefined ? {} : { actual: found }) }]
  })
}

interface Spelled {
  readonly dimension: Dimension
  readonly wanted: (match: Match) => readonly string[]
  readonly notWanted: (match: Match) => readonly string[]
  readonly actual: (facts: MatchFacts) => string | undefined
}

const SPELLED: readonly Spelled[] = [
  {
    dimension: PRINCIPALS,
    wanted: ({ principals }) => principals.map(spellText),
    notWanted: ({ notPrincipals }) => notPrincipals.map(spellText),
    actual: ({ principal }) => principal,
  },
  {
    dimension: NAMESPACES,
    wanted: ({ namespaces }) => namespaces.map(spellText),
    notWanted: ({ notNamespaces }) => notNamespaces.map(spellText),
    actual: ({ connection }) => connection.sourceIdentity?.namespace,
  },
  {
    dimension: SERVICE_ACCOUNTS,
    wanted: ({ serviceAccounts }) => serviceAccounts.map(spellAccount),
    notWanted: ({ notServiceAccounts }) => notServiceAccounts.map(spellAccount),
    actual: ({ connection: { sourceIdentity } }) => sourceIdentity && spellAccount(sourceIdentity),
  },
  {
    dimension: SOURCE_IPS,
    wanted: ({ sourceIps }) => sourceIps.map(spellNetwork),
    notWanted: ({ notSourceIps }) => notSourceIps.map(spellNetwork),
    actual: ({ connection }) => connection.source.ip,
  },
  {
    dimension: DESTINATION_IPS,
    wanted: ({ destinationIps }) => destinationIps.map(spellNetwork),
    notWanted: ({ notDestinationIps }) => notDestinationIps.map(spellNetwork),
    actual: ({ connection }) => connection.destination.ip,
  },
  {
    dimension: DESTINATION_PORTS,
    wanted: ({ destinationPorts }) => destinationPorts.map(String),
    notWanted: ({ notDestinationPorts }) => notDestinationPorts.map(String),
    actual: ({ connection }) => String(connection.destination.port),
  },
]
