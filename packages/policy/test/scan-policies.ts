import { type Authorization, policyKey, type Workload } from '@ambit/state'
import { NOT_ALLOWED } from '../src/index.ts'
import type { ConnectionFacts, DryRunMatch, Verdict } from '../src/verdict.types.ts'
import { naiveRuleMatches } from './naive-connection.ts'

/** What the indexed verdict is held against: every policy that applies is asked, in order. */
export function scanPolicies(facts: ConnectionFacts, held: readonly Authorization[]): Verdict {
  const { policies, missing } = policiesFor(facts.workload, held)
  const evidence = {
    dryRun: dryRunMatches(policies, facts),
    missing,
  }

  // If any DENY policy matches the connection, deny it.
  const denial = firstMatch(policies, 'Deny', facts)
  if (denial !== undefined) {
    const policy = policyKey(denial.policy)
    return { allowed: false, reason: `explicitly denied by: ${policy}`, policy, rule: denial.rule, ...evidence }
  }
  // If there is no ALLOW policy for the workload, allow it.
  if (!policies.some((policy) => policy.action === 'Allow' && !policy.dryRun)) {
    return { allowed: true, reason: 'no-allow-policies', ...evidence }
  }
  // If any ALLOW policy matches, allow it; otherwise deny it.
  const permit = firstMatch(policies, 'Allow', facts)
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
  facts: ConnectionFacts,
): { readonly policy: Authorization; readonly rule: number } | undefined {
  for (const policy of policies) {
    if (policy.action !== action || policy.dryRun) continue
    const rule = matchingRule(policy, facts)
    if (rule >= 0) return { policy, rule }
  }
  return undefined
}

const NONE: readonly DryRunMatch[] = []

function dryRunMatches(policies: readonly Authorization[], facts: ConnectionFacts): readonly DryRunMatch[] {
  const dryRun = policies.filter((policy) => policy.dryRun)
  if (dryRun.length === 0) return NONE
  return dryRun.flatMap((policy) => {
    const rule = matchingRule(policy, facts)
    return rule < 0 ? [] : [{ action: policy.action, policy: policyKey(policy), rule }]
  })
}

function matchingRule(policy: Authorization, facts: ConnectionFacts): number {
  return policy.rules.findIndex((rule) => naiveRuleMatches(rule, facts))
}

/** Global ones, those of the namespace, and selector policies the workload lists; each in the order it was last put. */
function policiesFor(
  { namespace, authorizationPolicies }: Workload,
  held: readonly Authorization[],
): { readonly policies: readonly Authorization[]; readonly missing: readonly string[] } {
  const byName = new Map<string, Authorization>()
  for (const policy of held) {
    byName.delete(policyKey(policy))
    byName.set(policyKey(policy), policy)
  }
  const all = [...byName.values()]
  return {
    policies: [
      ...all.filter(({ scope }) => scope === 'Global'),
      ...all.filter(
        (policy) => policy.scope === 'Namespace' && policy.namespace !== '' && policy.namespace === namespace,
      ),
      ...authorizationPolicies.flatMap((name) => {
        const policy = byName.get(name)
        return policy?.scope === 'WorkloadSelector' ? [policy] : []
      }),
    ],
    missing: authorizationPolicies.filter((name) => !byName.has(name)),
  }
}
