import type { ClauseCoverage, CoverageReport, PolicyCoverage, RuleCoverage } from '../coverage.types.ts'
import { printable } from './printable.ts'

/** What no case tried. */
export function coverageText({ percent, policies, rules, clauses, details }: CoverageReport): readonly string[] {
  const counted = [
    `${policies.tried} of ${policies.of} policies asked`,
    `${rules.tried} of ${rules.of} rules decided a case`,
    `${clauses.tried} of ${clauses.of} clauses tried both ways`,
  ]
  return [`Coverage ${percent.toFixed(1)} %: ${counted.join(', ')}`, ...details.flatMap(policyLines)]
}

function policyLines(policy: PolicyCoverage): readonly string[] {
  const { asked, neverMatches, rules } = policy
  const title = `  ${printable(policy.policy)} (${policy.action === '' ? policy.kind : policy.action})`
  if (neverMatches !== undefined) return [`${title}: can never match: ${printable(neverMatches)}`]
  if (asked === 0) return [`${title}: no case concerns it`]
  const lines = rules.flatMap(ruleLines)
  return lines.length === 0 ? [] : [title, ...lines]
}

function ruleLines({ rule, decided, excluded, clauses }: RuleCoverage): readonly string[] {
  if (excluded !== undefined) return [`    #${rule} is never looked at: ${printable(excluded)}`]
  const untried = clauses.flatMap((clause) => {
    const missing = missingOf(clause, decided > 0)
    return missing === undefined ? [] : [`    #${rule} ${printable(clause.field)}: ${missing}`]
  })
  return decided > 0 ? untried : [`    #${rule} decided no case`, ...untried]
}

/** Of a rule that decided nothing it goes without saying that no clause of it did. */
function missingOf({ held, prevented }: ClauseCoverage, ruleDecided: boolean): string | undefined {
  if (prevented === 0) return 'no case is kept out of the rule by it alone'
  return held === 0 && ruleDecided ? 'no case needs it to hold' : undefined
}
