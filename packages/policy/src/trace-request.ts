import { judgedRequest } from './compile-request-policy.ts'
import type { Clause, CompiledPolicy, CompiledRule, JudgedRequest } from './compiled-policy.types.ts'
import type { ClauseEvidence, PolicyEvidence, RuleEvidence, Trace } from './evidence.types.ts'
import { MAX_EXPLAINED_RULES } from './limits.ts'
import { excluded, ruleHolds } from './match-request.ts'
import type { RequestFacts, RequestPolicies } from './request-verdict.types.ts'
import { outcomeOf, ruleEvidence } from './rule-evidence.ts'

/**
 * What each policy says of a request, and what comes of it: by the clauses that `authorizeRequest` decides by. Of a client that claims
 * another address the one that is refused is told.
 */
export function traceRequest(facts: RequestFacts, policies: RequestPolicies): Trace {
  const trace = traceOf(facts, policies)
  const { claimedIp, remoteIp } = facts
  if (!trace.allowed || claimedIp === undefined || claimedIp === remoteIp) return trace
  const asClaimed = traceOf({ ...facts, remoteIp: claimedIp }, policies)
  return asClaimed.allowed ? trace : asClaimed
}

function traceOf(facts: RequestFacts, { missing, custom, audit, deny, allow, dryRun }: RequestPolicies): Trace {
  const request = judgedRequest(facts)
  let left = MAX_EXPLAINED_RULES
  const all = [custom, audit, deny, allow, dryRun].flat().map((policy) => {
    const evidence = policyEvidence(policy, request, left)
    left -= evidence.rules.length
    return evidence
  })
  return { ...outcomeOf(all, missing.length > 0), policies: all, missing }
}

function policyEvidence(policy: CompiledPolicy, request: JudgedRequest, left: number): PolicyEvidence {
  const { key, action, dryRun } = policy
  const rules = policy.rules.flatMap((rule, index) =>
    index < left || ruleHolds(rule, request) ? [requestRule(rule, index, request)] : [],
  )
  return { policy: key, action, dryRun, matched: rules.some(({ matched }) => matched), rules }
}

function requestRule(rule: CompiledRule, index: number, request: JudgedRequest): RuleEvidence {
  const clauses = (entry: readonly Clause[]): readonly ClauseEvidence[] =>
    entry.map((one) => clauseEvidence(one, request))
  const groups = [rule.from.map(clauses), rule.to.map(clauses), [clauses(rule.when)]]
  const evidence = ruleEvidence(index, groups)
  const because = excluded(rule, request)
  return because === undefined ? evidence : { ...evidence, matched: false, excluded: because, missing: [] }
}

function clauseEvidence(clause: Clause, request: JudgedRequest): ClauseEvidence {
  const actual = clause.actual(request)
  const { some, none } = clause.written()
  return {
    field: clause.field,
    holds: clause.holds(request),
    wanted: some,
    notWanted: none,
    ...(clause.http && request.http === undefined ? { ignored: true } : {}),
    ...(actual === undefined ? {} : { actual }),
  }
}
