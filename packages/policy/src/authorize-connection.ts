import {
  type Authorization,
  type CandidatePolicies,
  type ConnectionField,
  type PolicyLookup,
  policyKey,
  type Rule,
  type RuleHit,
} from '@ambit/state'
import { fieldOf, matchFactsOf, ruleMatches } from './match-policy.ts'
import type { ConnectionFacts, DryRunMatch, Verdict } from './verdict.types.ts'

/** Istio's wording when ALLOW policies exist and none of them matches. */
export const NOT_ALLOWED = 'allow policies exist, but none allowed'

/**
 * Whether the connection may reach the workload (Istio's order): a matching DENY refuses; without ALLOW policies the rest is
 * allowed; otherwise one of them must match. Dry-run policies are reported and never count. `traceConnection` says what
 * each policy said.
 */
export function authorizeConnection(facts: ConnectionFacts, lookup: PolicyLookup): Verdict {
  const candidates = lookup.policiesFor(facts.workload)
  const question = questionOf(facts)
  const evidence = {
    dryRun: dryRunMatches(candidates, question),
    missing: candidates.missing,
  }

  // If any DENY policy matches the connection, deny it.
  const denial = firstMatch(candidates, 'deny', question)
  if (denial !== undefined) {
    const policy = policyKey(denial.policy)
    return { allowed: false, reason: `explicitly denied by: ${policy}`, policy, rule: denial.rule, ...evidence }
  }
  // If there is no ALLOW policy for the workload, allow it.
  if (!candidates.groups.some(({ hasAllow }) => hasAllow)) {
    return { allowed: true, reason: 'no-allow-policies', ...evidence }
  }
  // If any ALLOW policy matches, allow it; otherwise deny it.
  const permit = firstMatch(candidates, 'allow', question)
  if (permit === undefined) {
    return { allowed: false, reason: NOT_ALLOWED, unmatched: candidates.allowNames, ...evidence }
  }
  return { allowed: true, reason: 'allow-policy', policy: policyKey(permit.policy), rule: permit.rule, ...evidence }
}

interface Question {
  readonly valueOf: (field: ConnectionField) => string | number | undefined
  readonly matches: (rule: Rule) => boolean
}

function questionOf(connection: ConnectionFacts): Question {
  const facts = matchFactsOf(connection)
  return { valueOf: (field) => fieldOf(facts, field), matches: (rule) => ruleMatches(rule, facts) }
}

function firstMatch(
  { groups }: CandidatePolicies,
  enforcement: 'deny' | 'allow',
  { valueOf, matches }: Question,
): RuleHit | undefined {
  for (const group of groups) {
    const hit = group.first(enforcement, valueOf, matches)
    if (hit !== undefined) return hit
  }
  return undefined
}

const NONE: readonly DryRunMatch[] = []

function dryRunMatches({ groups }: CandidatePolicies, { valueOf, matches }: Question): readonly DryRunMatch[] {
  let found = NONE
  for (const group of groups) {
    const hits = group.dryRun(valueOf, matches)
    if (hits.length > 0) found = [...found, ...hits.map(dryRunMatch)]
  }
  return found
}

function dryRunMatch({ policy, rule }: { readonly policy: Authorization; readonly rule: number }): DryRunMatch {
  return { action: policy.action, policy: policyKey(policy), rule }
}
