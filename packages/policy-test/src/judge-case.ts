import type { Answer, PointName } from '@ambit/explain'
import type { Expectation, ExpectedOutcome, ExpectedPlace, PolicyRef } from './policy-test.types.ts'

/** A part of the expectation that did not come true. */
export interface Mismatch {
  readonly what: 'expect' | 'by' | 'at' | 'reason'
  readonly expected: string
  readonly actual: string
}

const OUTCOME_OF: Readonly<Record<Answer['outcome'], ExpectedOutcome>> = {
  allowed: 'allow',
  denied: 'deny',
  unreachable: 'unreachable',
}

const PLACE_OF: Readonly<Record<PointName, ExpectedPlace>> = {
  'source-ztunnel': 'ztunnel',
  gateway: 'gateway',
  waypoint: 'waypoint',
  'destination-ztunnel': 'ztunnel',
}

/** What of the expectation the answer does not fulfil; empty: all came as expected. */
export function judgeCase(expected: Expectation, answer: Answer): readonly Mismatch[] {
  // A test must not depend on which endpoint is chosen.
  const outcomes = [answer.outcome, ...(answer.mixed ?? []).map(({ outcome }) => outcome)]
  // Who decided means nothing when another thing was decided.
  if (outcomes.some((outcome) => OUTCOME_OF[outcome] !== expected.outcome))
    return [{ what: 'expect', expected: expected.outcome, actual: spellAnswer(answer) }]
  const { by, place, reason } = expected
  const mismatches: Mismatch[] = []
  const decisions = decisionsOf(answer)
  const ofPolicy = by === undefined ? decisions : decisions.filter((decision) => isBy(by, decision))
  if (by !== undefined && ofPolicy.length === 0)
    mismatches.push({
      what: 'by',
      expected: spellRule(`${by.namespace}/${by.name}`, by.rule),
      actual: decidedBy(answer),
    })
  const places = (ofPolicy.length > 0 ? ofPolicy : decisions).map(({ point }) => PLACE_OF[point])
  if (place !== undefined && !places.includes(place))
    mismatches.push({ what: 'at', expected: place, actual: places.join(', ') || 'nothing stood in the way' })
  if (reason !== undefined && !answer.reason.includes(reason))
    mismatches.push({ what: 'reason', expected: reason, actual: answer.reason })
  return mismatches
}

interface Decision {
  readonly point: PointName
  readonly policy?: string | undefined
  readonly rule?: number | undefined
  readonly unmatched?: readonly string[] | undefined
}

/** Who let it pass, each of them; or who did not. */
function decisionsOf(answer: Answer): readonly Decision[] {
  if (answer.outcome === 'allowed') return answer.allowedBy ?? []
  const { point, policy, rule, unmatched } = answer
  return point === undefined ? [] : [{ point, policy, rule, unmatched }]
}

/** Without a rule that decided, the ALLOW policies that did not match did. */
function isBy({ namespace, name, rule }: PolicyRef, { policy, rule: decided, unmatched = [] }: Decision): boolean {
  const key = `${namespace}/${name}`
  if (policy !== undefined) return policy === key && (rule === undefined || rule === decided)
  return rule === undefined && unmatched.includes(key)
}

/** Policies and rules that decided, or the ALLOW policies of which none matched. */
function decidedBy(answer: Answer): string {
  const parts = decisionsOf(answer).flatMap(({ policy, rule, unmatched = [] }) => {
    if (policy !== undefined) return [spellRule(policy, rule)]
    return unmatched.length === 0 ? [] : [`none of ${unmatched.join(', ')}`]
  })
  return parts.join(', ') || 'no policy'
}

/** In few words, as expectations are written. */
export function spellAnswer(answer: Answer): string {
  const parts = decisionsOf(answer).map(({ point, policy, rule, unmatched = [] }) => {
    const by = policy === undefined ? unmatched.join(', ') : spellRule(policy, rule)
    return `${PLACE_OF[point]}${by === '' ? '' : ` by ${policy === undefined ? `none of ${by}` : by}`}`
  })
  const others = (answer.mixed ?? []).map(
    ({ endpoint, outcome }) => `; ${OUTCOME_OF[outcome]} if ${endpoint} is chosen`,
  )
  return `${OUTCOME_OF[answer.outcome]}${parts.length === 0 ? '' : ` at ${parts.join(', ')}`}${others.join('')}`
}

function spellRule(policy: string, rule: number | undefined): string {
  return rule === undefined ? policy : `${policy}#${rule}`
}
