import type { TargetRef } from '../domain.types.ts'
import type { PolicyCondition } from './policy-condition.ts'

/** Whether one target of a policy has a waypoint that enforces it. */
export type TargetVerdict =
  | { readonly bound: true; readonly to: string }
  | {
      readonly bound: false
      readonly reason: 'AncestorNotBound' | 'TargetNotFound' | 'Invalid'
      readonly message: string
    }

export interface TargetOutcome {
  readonly ref: TargetRef
  /** Namespace of the target; empty for those that have none. */
  readonly namespace: string
  readonly verdict: TargetVerdict
}

/** What the policy's WaypointAccepted condition says; undefined when the policy names no targets. */
export function targetCondition(outcomes: readonly TargetOutcome[]): PolicyCondition | undefined {
  const [first, second] = outcomes
  if (first === undefined) return undefined
  if (second === undefined) {
    const { verdict } = first
    return verdict.bound
      ? { status: 'True', reason: 'Accepted', message: `bound to ${verdict.to}` }
      : { status: 'False', reason: verdict.reason, message: verdict.message }
  }
  const invalid = outcomes.filter(({ verdict }) => !verdict.bound)
  if (invalid.length === 0) return { status: 'True', reason: 'Accepted', message: '' }
  const message = `Invalid targetRefs: ${invalid.map(spell).join(', ')}`
  return invalid.length < outcomes.length
    ? { status: 'True', reason: 'PartiallyInvalid', message }
    : { status: 'False', reason: 'Invalid', message }
}

function spell({ ref, namespace }: TargetOutcome): string {
  return `${ref.kind}.${ref.group || 'core'}:${namespace === '' ? '' : `${namespace}/`}${ref.name}`
}
