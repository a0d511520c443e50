import type { ClauseTrace, Explanation } from '@ambit/explain'
import { spellAnswer } from '../judge-case.ts'
import type { PolicyRef } from '../policy-test.types.ts'
import type { CaseResult } from '../run-cases.ts'

/** A line of what is to be known of a failure: what it is, and what is to be said. */
export type Fact = readonly [title: 'question' | 'expected' | 'actual' | 'reason' | 'nearest' | 'note', text: string]

/** What a person needs in order to see why a case came out otherwise. */
export function describeFailure(result: CaseResult): readonly Fact[] {
  const { case: asked, answer, explanation, message } = result
  const question: Fact = ['question', spellQuestion(result)]
  const expected: Fact = ['expected', spellExpectation(result)]
  if (answer === undefined) return [question, expected, ['actual', `no answer: ${message ?? ''}`]]
  const facts: Fact[] = [question, expected, ['actual', spellAnswer(answer)], ['reason', answer.reason]]
  const { by } = asked.expected
  if (by !== undefined && result.mismatches.some(({ what }) => what === 'expect' || what === 'by'))
    facts.push(...whyNot(by, explanation).map((text): Fact => ['note', text]))
  const nearest = explanation?.nearest
  if (nearest !== undefined)
    for (const clause of nearest.failed)
      facts.push(['nearest', `${nearest.policy}#${nearest.rule} if ${spellClause(clause)}`])
  for (const { policy, because } of explanation?.notEnforced ?? [])
    facts.push(['note', `${policy} is not enforced: ${because}`])
  return facts
}

export function spellQuestion({ case: { from, to, request } }: CaseResult): string {
  return `${from} → ${to}${request === undefined ? '' : ` ${request}`}`
}

export function spellExpectation({ case: { expected } }: CaseResult): string {
  const { outcome, by, place, reason } = expected
  const parts = [
    outcome,
    ...(place === undefined ? [] : [`at ${place}`]),
    ...(by === undefined ? [] : [`by ${keyOf(by)}${by.rule === undefined ? '' : `#${by.rule}`}`]),
    ...(reason === undefined ? [] : [`for ${JSON.stringify(reason)}`]),
  ]
  return parts.join(' ')
}

/** Why the policy that was to decide did not: where it was not asked, or what of its rules did not hold. */
function whyNot(by: PolicyRef, explanation: Explanation | undefined): readonly string[] {
  if (explanation === undefined) return []
  const key = keyOf(by)
  const traces = explanation.points.flatMap(({ policies }) => policies).filter(({ policy }) => policy === key)
  if (explanation.notEnforced.some(({ policy }) => policy === key)) return []
  if (traces.length === 0) return [`${key} was not asked`]
  return traces.flatMap(({ rules }) =>
    rules
      .filter(({ rule, matched }) => !matched && (by.rule === undefined || by.rule === rule))
      .map(({ rule, clauses, excluded }) => {
        const failed = clauses.filter(({ holds }) => !holds).map(spellClause)
        return `${key}#${rule} did not match: ${excluded ?? failed.join('; ')}`
      }),
  )
}

const MAX_VALUES = 5

export function spellClause({ field, wanted, notWanted, actual }: ClauseTrace): string {
  const asks = [
    ...(wanted.length === 0 ? [] : [`is ${someOf(wanted)}`]),
    ...(notWanted.length === 0 ? [] : [`is not ${someOf(notWanted)}`]),
  ]
  return `${field} ${asks.join(' and ')}; it is ${actual === undefined ? 'not there' : JSON.stringify(actual)}`
}

function someOf(values: readonly string[]): string {
  const shown = values.slice(0, MAX_VALUES).join(' or ')
  return values.length > MAX_VALUES ? `${shown} or ${values.length - MAX_VALUES} more` : shown
}

function keyOf({ namespace, name }: PolicyRef): string {
  return `${namespace}/${name}`
}
