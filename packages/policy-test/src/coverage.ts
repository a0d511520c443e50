import type { EnforcementPoint, Explanation, PolicyTrace, RuleTrace } from '@ambit/explain'
import type { CoverageReport, PolicyCoverage, RuleCoverage, Share } from './coverage.types.ts'
import { neededClauses, preventingClauses } from './decisive-clauses.ts'
import type { PolicyFacts } from './policy-facts.ts'

interface Count {
  asked: number
  decided: number
  readonly rules: { decided: number; asked: boolean; excluded: string | undefined }[]
  /** By rule and field. */
  readonly held: Map<string, number>
  readonly prevented: Map<string, number>
}

/** Counts what of the policies the cases try. */
export class Coverage {
  readonly #policies: readonly PolicyFacts[]
  readonly #counts: ReadonlyMap<string, Count>

  constructor(policies: readonly PolicyFacts[]) {
    this.#policies = policies
    this.#counts = new Map(policies.map(({ kind, policy, rules }) => [`${kind} ${policy}`, nothing(rules.length)]))
  }

  /** What every policy said of a case. */
  readonly observe = (explanation: Explanation): void => {
    for (const point of explanation.points) {
      if (point.verdict === 'not-reached') continue
      for (const trace of point.policies) {
        const found = this.#counts.get(`${trace.kind} ${trace.policy}`)
        if (found !== undefined && !trace.dryRun) countPolicy(found, trace, point, explanation)
      }
    }
  }

  /** `flaws`: why some can never match, by kind and name. */
  report(flaws: ReadonlyMap<string, string> = new Map()): CoverageReport {
    const details = this.#policies.map((facts) => {
      const key = `${facts.kind} ${facts.policy}`
      return detailsOf(facts, this.#counts.get(key), flaws.get(key))
    })
    const rules = details.flatMap((policy) => policy.rules)
    const clauses = rules.flatMap((rule) => rule.clauses)
    const shares = {
      policies: share(details, ({ asked }) => asked > 0),
      rules: share(rules, ({ decided }) => decided > 0),
      clauses: share(clauses, ({ held, prevented }) => held > 0 && prevented > 0),
    }
    return { percent: percentOf(Object.values(shares)), ...shares, details }
  }
}

function nothing(rules: number): Count {
  return {
    asked: 0,
    decided: 0,
    rules: Array.from({ length: rules }, () => ({ decided: 0, asked: false, excluded: undefined })),
    held: new Map(),
    prevented: new Map(),
  }
}

function countPolicy(found: Count, trace: PolicyTrace, point: EnforcementPoint, explanation: Explanation): void {
  found.asked++
  const decided = decidedRule(trace, point, explanation)
  const keptOut = explanation.point === point.name && (explanation.unmatched ?? []).includes(trace.policy)
  if (decided !== undefined || keptOut) found.decided++
  for (const rule of trace.rules) {
    const counted = found.rules[rule.rule]
    if (counted === undefined) continue
    if (rule.excluded !== undefined) {
      counted.excluded = rule.excluded
      continue
    }
    counted.asked = true
    if (decided === rule.rule) {
      counted.decided++
      add(found.held, rule.rule, neededClauses(rule))
    } else if (wouldChange(trace, rule, point, keptOut)) {
      add(found.prevented, rule.rule, preventingClauses(rule))
    }
  }
}

/** The rule of the policy that decided at the point. */
function decidedRule(
  { policy }: PolicyTrace,
  { name }: EnforcementPoint,
  explanation: Explanation,
): number | undefined {
  const permit = explanation.allowedBy?.find((one) => one.point === name && one.policy === policy)
  if (permit !== undefined) return permit.rule
  const refused = explanation.outcome === 'denied' && explanation.point === name && explanation.policy === policy
  return refused ? explanation.rule : undefined
}

/** Whether the point would have said something else if the rule had matched. */
function wouldChange(
  { action }: PolicyTrace,
  { matched }: RuleTrace,
  point: EnforcementPoint,
  keptOut: boolean,
): boolean {
  if (matched) return false
  return action.toUpperCase() === 'ALLOW' ? keptOut : point.verdict === 'allowed'
}

function add(counts: Map<string, number>, rule: number, fields: readonly string[]): void {
  for (const field of fields) counts.set(`${rule} ${field}`, (counts.get(`${rule} ${field}`) ?? 0) + 1)
}

function detailsOf(facts: PolicyFacts, counted: Count | undefined, flaw: string | undefined): PolicyCoverage {
  const { policy, kind, action } = facts
  const rules = facts.rules.map((fields, rule): RuleCoverage => {
    const { decided = 0, asked = false, excluded } = counted?.rules[rule] ?? {}
    const clauses = fields.map((field) => ({
      field,
      held: counted?.held.get(`${rule} ${field}`) ?? 0,
      prevented: counted?.prevented.get(`${rule} ${field}`) ?? 0,
    }))
    return { rule, decided, ...(asked || excluded === undefined ? {} : { excluded }), clauses }
  })
  const { asked = 0, decided = 0 } = counted ?? {}
  const hasNoRules = kind === 'AuthorizationPolicy' && action !== 'ALLOW' && rules.length === 0
  const neverAsked = asked === 0 ? flaw : undefined
  const neverMatches = hasNoRules ? 'it has no rules' : neverAsked
  return { policy, kind, action, asked, decided, ...(neverMatches === undefined ? {} : { neverMatches }), rules }
}

function share<T>(all: readonly T[], isTried: (one: T) => boolean): Share {
  return { tried: all.filter(isTried).length, of: all.length }
}

function percentOf(shares: readonly Share[]): number {
  const of = shares.reduce((sum, share) => sum + share.of, 0)
  const tried = shares.reduce((sum, share) => sum + share.tried, 0)
  // Rounded down: 100 means all.
  return of === 0 ? 100 : Math.floor((tried / of) * 1000) / 10
}
