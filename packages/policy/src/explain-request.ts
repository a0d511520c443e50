import type { CompiledPolicy, CompiledRule, Entry, JudgedRequest } from './compiled-policy.types.ts'
import { MAX_EXPLAINED_RULES } from './limits.ts'
import { excluded } from './match-request.ts'
import type { PolicyEvidence, RequestPolicies, RuleEvidence } from './request-verdict.types.ts'

/** What each rule of each candidate said, in the order they are asked; beyond a limit the rest is left out. */
export function explainRequest(request: JudgedRequest, policies: RequestPolicies): readonly PolicyEvidence[] {
  const { custom, audit, deny, allow, dryRun } = policies
  let left = MAX_EXPLAINED_RULES
  return [custom, audit, deny, allow, dryRun].flat().map((policy) => {
    const evidence = explainPolicy(policy, request, left)
    left -= evidence.rules.length
    return evidence
  })
}

function explainPolicy(
  { key, action, dryRun, rules }: CompiledPolicy,
  request: JudgedRequest,
  left: number,
): PolicyEvidence {
  return { policy: key, action, dryRun, rules: rules.slice(0, left).map((rule) => explainRule(rule, request)) }
}

function explainRule(rule: CompiledRule, request: JudgedRequest): RuleEvidence {
  const because = excluded(rule, request)
  const failed = (entry: Entry): readonly string[] =>
    entry.filter((clause) => !clause.holds(request)).map(({ field }) => field)
  // Alternatives fail together or not at all.
  const ofAny = (entries: readonly Entry[]): readonly string[] => {
    const each = entries.map(failed)
    return each.some((fields) => fields.length === 0) ? [] : each.flat()
  }
  const fields = [...ofAny(rule.from), ...ofAny(rule.to), ...failed(rule.when)]
  return {
    matched: because === undefined && fields.length === 0,
    failed: fields,
    ...(because && { excluded: because }),
  }
}
