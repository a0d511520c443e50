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
  const outcome = OUTCOME_OF[answer.outcome]
  // Who decided means nothing when another thing was decided.
  if (outcome !== expected.outcome) return [{ what: 'expect', expected: expected.outcome, actual: outcome }]
  const { by, place, reason } = expected
  const mismatches: Mismatch[] = []
  if (by !== undefined && !isBy(by, answer))
    mismatches.push({ what: 'by', expected: spellPolicy(by), actual: decidedBy(answer) })
  const actualPlace = answer.point === undefined ? undefined : PLACE_OF[answer.point]
  if (place !== undefined && place !== actualPlace)
    mismatches.push({ what: 'at', expected: place, actual: actualPlace ?? 'nothing stood in the way' })
  if (reason !== undefined && !answer.reason.includes(reason))
    mismatches.push({ what: 'reason', expected: reason, actual: answer.reason })
  return mismatches
}

/** Without a rule that decided, the ALLOW policies that did not match did. */
function isBy({ namespace, name, rule }: PolicyRef, { policy, rule: decided, unmatched = [] }: Answer): boolean {
  const key = `${namespace}/${name}`
  if (policy !== undefined) return policy === key && (rule === undefined || rule === decided)
  return rule === undefined && unmatched.includes(key)
}

function spellPolicy({ namespace, name, rule }: PolicyRef): string {
  return `${namespace}/${name}${rule === undefined ? '' : `#${rule}`}`
}

/** The policy and rule that decided, or the ALLOW policies of which none matched. */
export function decidedBy({ policy, rule, unmatched = [] }: Answer): string {
  if (policy !== undefined) return rule === undefined ? policy : `${policy}#${rule}`
  if (unmatched.length === 0) return 'no policy'
  return `none of ${unmatched.join(', ')}`
}

export function spellAnswer(answer: Answer): string {
  const { outcome, point } = answer
  const place = point === undefined ? '' : ` at ${point}`
  const by = decidedBy(answer)
  return `${OUTCOME_OF[outcome]}${place}${by === 'no policy' ? '' : ` by ${by}`}`
}
