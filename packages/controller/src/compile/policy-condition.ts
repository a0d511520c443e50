import type { AuthorizationPolicy } from '../domain.types.ts'

export interface PolicyCondition {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

export interface PolicyOutcome {
  readonly published: boolean
  readonly dryRunRefused: boolean
  readonly http?: readonly string[]
  readonly unknown?: readonly string[]
  readonly hasEffect?: boolean
}

const ALLOW_OMITTED =
  'Within an ALLOW policy, rules matching HTTP attributes are omitted. This will be more restrictive than requested.'
const DENY_BROADER =
  'DENY policy with HTTP attributes is enforced without the HTTP rules. This will be more restrictive than requested.'
const DENY_WITHOUT_EFFECT =
  'After omitting unsupported HTTP attributes, this DENY policy has no enforceable rules at ztunnel and will have no effect. Deploy a waypoint proxy and use a targetRef to enforce this policy.'

/** What the policy's ZtunnelAccepted condition says. The HTTP sentences are Istio's: users and Kiali look for them. */
export function policyCondition(policy: AuthorizationPolicy, outcome: PolicyOutcome): PolicyCondition {
  const unsupported = (message: string): PolicyCondition => ({
    status: outcome.published ? 'True' : 'False',
    reason: 'UnsupportedValue',
    message,
  })
  if (outcome.dryRunRefused) {
    return unsupported(
      `found policy "${policy.namespace}/${policy.name}" using dry-run annotation, but support for ambient dry-run authorizationPolicies isn't enabled`,
    )
  }
  if (!outcome.published) return unsupported(`ztunnel does not support the ${policy.action} action`)
  const sentences = [httpSentence(policy, outcome), unknownSentence(policy, outcome.unknown ?? [])].filter(
    (sentence) => sentence !== '',
  )
  if (sentences.length > 0) return unsupported(sentences.join(' '))
  return { status: 'True', reason: 'Accepted', message: 'attached to ztunnel' }
}

function httpSentence(policy: AuthorizationPolicy, outcome: PolicyOutcome): string {
  const http = outcome.http ?? []
  if (http.length === 0) return ''
  const effect =
    policy.action !== 'DENY' ? ALLOW_OMITTED : outcome.hasEffect === true ? DENY_BROADER : DENY_WITHOUT_EFFECT
  return `ztunnel does not support HTTP attributes (found: ${http.join(', ')}). In ambient mode you must use a waypoint proxy to enforce HTTP rules. ${effect}`
}

function unknownSentence(policy: AuthorizationPolicy, unknown: readonly string[]): string {
  if (unknown.length === 0) return ''
  const effect =
    policy.action === 'DENY'
      ? 'Within a DENY policy, what is not understood is taken to match.'
      : policy.action === 'ALLOW'
        ? 'Within an ALLOW policy, rules that are not understood are omitted.'
        : 'A policy whose action is not understood allows nothing.'
  return `not understood: ${unknown.join(', ')}. ${effect} This will be more restrictive than requested.`
}
