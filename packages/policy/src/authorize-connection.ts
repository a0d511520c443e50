import { type Authorization, type PolicyLookup, policyKey } from '@ambit/state'
import { type MatchFacts, matchFactsOf, matchingRule } from './match-policy.ts'
import type { ConnectionFacts, DryRunMatch, Verdict } from './verdict.types.ts'

/** Istio's wording when ALLOW policies exist and none of them matches. */
export const NOT_ALLOWED = 'allow policies exist, but none allowed'

/**
 * Whether the connection may reach the workload (Istio's order): a matching DENY refuses; without ALLOW policies the rest is
 * allowed; otherwise one of them must match. Dry-run policies are reported and never count. Ask with `explain` for the
 * names of all policies that were considered.
 */
export function authorizeConnection(
  facts: ConnectionFacts,
  lookup: PolicyLookup,
  options: { readonly explain?: boolean } = {},
): Verdict {
  const { policies, missing } = lookup.policiesFor(facts.workload)
  const matchFacts = matchFactsOf(facts)
  const evidence = {
    dryRun: dryRunMatches(policies, matchFacts),
    missing,
    ...(options.explain === true ? { candidates: policies.map(policyKey) } : {}),
  }

  // If any DENY policy matches the connection, deny it.
  const denial = firstMatch(policies, 'Deny', matchFacts)
  if (denial !== undefined) {
    const policy = policyKey(denial.policy)
    return { allowed: false, reason: `explicitly denied by: ${policy}`, policy, rule: denial.rule, ...evidence }
  }
  // If there is no ALLOW policy for the workload, allow it.
  if (!policies.some((policy) => policy.action === 'Allow' && !policy.dryRun)) {
    return { allowed: true, reason: 'no-allow-policies', ...evidence }
  }
  // If any ALLOW policy matches, allow it; otherwise deny it.
  const permit = firstMatch(policies, 'Allow', matchFacts)
  if (permit === undefined)
    return { allowed: false, reason: NOT_ALLOWED, unmatched: namesOfAllow(policies), ...evidence }
  return { allowed: true, reason: 'allow-policy', policy: policyKey(permit.policy), rule: permit.rule, ...evidence }
}

function namesOfAllow(policies: readonly Authorization[]): readonly string[] {
  return policies.filter((policy) => policy.action === 'Allow' && !policy.dryRun).map(policyKey)
}

function firstMatch(
  policies: readonly Authorization[],
  action: Authorization['action'],
  facts: MatchFacts,
): { readonly policy: Authorization; readonly rule: number } | undefined {
  for (const policy of policies) {
    if (policy.action !== action || policy.dryRun) continue
    const rule = matchingRule(policy, facts)
    if (rule >= 0) return { policy, rule }
  }
  return undefined
}

const NONE: readonly DryRunMatch[] = []

function dryRunMatches(policies: readonly Authorization[], facts: MatchFacts): readonly DryRunMatch[] {
  const dryRun = policies.filter((policy) => policy.dryRun)
  if (dryRun.length === 0) return NONE
  return dryRun.flatMap((policy) => {
    const rule = matchingRule(policy, facts)
    return rule < 0 ? [] : [{ action: policy.action, policy: policyKey(policy), rule }]
  })
}
