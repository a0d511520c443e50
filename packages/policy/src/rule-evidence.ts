import type { ClauseEvidence, PolicyEvidence, RuleEvidence, Trace } from './evidence.types.ts'

/** Alternatives, each the clauses that must hold together; none at all: it holds. */
export type Alternatives<C> = readonly (readonly C[])[]

/** A rule of which one alternative of each group must hold. */
export function ruleEvidence<C extends ClauseEvidence>(
  rule: number,
  groups: readonly Alternatives<C>[],
): RuleEvidence<C> {
  const missing = groups.flatMap(nearestAlternative)
  return { rule, matched: missing.length === 0, clauses: groups.flat(2), missing }
}

/** Of the alternative that lacks the least, what it lacks; of equal ones the first. */
function nearestAlternative<C extends ClauseEvidence>(alternatives: Alternatives<C>): readonly C[] {
  let nearest: readonly C[] | undefined
  for (const clauses of alternatives) {
    const failed = clauses.filter(({ holds }) => !holds)
    if (nearest === undefined || failed.length < nearest.length) nearest = failed
  }
  return nearest ?? []
}

/** What comes of evidence that lists every rule, in Istio's order: CUSTOM and DENY refuse, ALLOW is needed where there is one. */
export function outcomeOf<C extends ClauseEvidence>(
  policies: readonly PolicyEvidence<C>[],
  isRefusedAnyway: boolean,
): Pick<Trace, 'allowed' | 'decidedBy'> {
  if (isRefusedAnyway) return { allowed: false }
  const enforced = policies.filter(({ dryRun }) => !dryRun)
  const first = (...actions: readonly PolicyEvidence['action'][]): Trace['decidedBy'] => {
    const found = enforced.find(({ action, matched }) => matched && actions.includes(action))
    const rule = found?.rules.find(({ matched }) => matched)?.rule
    return found === undefined || rule === undefined ? undefined : { policy: found.policy, rule }
  }
  const refused = first('Custom') ?? first('Deny')
  if (refused !== undefined) return { allowed: false, decidedBy: refused }
  if (!enforced.some(({ action }) => action === 'Allow')) return { allowed: true }
  const permitted = first('Allow')
  return permitted === undefined ? { allowed: false } : { allowed: true, decidedBy: permitted }
}
