import { judgedRequest } from './compile-request-policy.ts'
import type { CompiledPolicy, JudgedRequest } from './compiled-policy.types.ts'
import { allHits, firstHit } from './request-index.ts'
import type { RequestFacts, RequestMatch, RequestPolicies, RequestVerdict } from './request-verdict.types.ts'

/** What Envoy says when no rule denied: a missing permission has no name. */
const DENIED_BY_NONE = 'rbac_access_denied_matched_policy[none]'

/**
 * Whether a request may go on to the destination whose policies these are: CUSTOM, AUDIT, DENY, ALLOW, as Istio orders them. A policy
 * that is in force and not known denies, and so does a CUSTOM policy that matches, as there is no external authorization. The
 * same function judges TCP connections, which have no HTTP facts. `traceRequest` says what each clause said.
 */
export function authorizeRequest(facts: RequestFacts, policies: RequestPolicies): RequestVerdict {
  const verdict = judge(facts, policies)
  const { claimedIp, remoteIp } = facts
  if (!verdict.allowed || claimedIp === undefined || claimedIp === remoteIp) return verdict
  // Whether the claim is true is not known: the request must be allowed either way.
  const asClaimed = judge({ ...facts, remoteIp: claimedIp }, policies)
  return asClaimed.allowed ? verdict : asClaimed
}

function judge(facts: RequestFacts, policies: RequestPolicies): RequestVerdict {
  const request = judgedRequest(facts)
  const evidence = {
    dryRun: allMatches(policies.dryRun, request),
    audited: allMatches(policies.audit, request),
  }

  // What a policy that has not arrived would say can not be known.
  const [missing] = policies.missing
  if (missing !== undefined) {
    return { allowed: false, reason: 'missing-policy', details: DENIED_BY_NONE, policy: missing, ...evidence }
  }
  const custom = firstMatch(policies.custom, request)
  if (custom !== undefined) return { allowed: false, reason: 'unavailable', ...custom, ...evidence }
  // If any DENY policy matches the request, deny it.
  const denial = firstMatch(policies.deny, request)
  if (denial !== undefined) return { allowed: false, reason: 'deny-policy', ...denial, ...evidence }
  // If there is no ALLOW policy, allow it.
  if (policies.allow.length === 0) return { allowed: true, reason: 'no-allow-policies', ...evidence }
  // If any ALLOW policy matches, allow it; otherwise deny it.
  const permit = firstMatch(policies.allow, request)
  if (permit !== undefined) {
    return { allowed: true, reason: 'allow-policy', policy: permit.policy, rule: permit.rule, ...evidence }
  }
  const unmatched = namesOf(policies.allow)
  return { allowed: false, reason: 'not-allowed', details: DENIED_BY_NONE, unmatched, ...evidence }
}

interface Found {
  readonly policy: string
  readonly rule: number
  readonly details: string
}

function firstMatch(policies: readonly CompiledPolicy[], request: JudgedRequest): Found | undefined {
  const hit = firstHit(policies, request)
  if (hit === undefined) return undefined
  const { policy, rule } = hit
  return { policy: policy.key, rule, details: policy.rules[rule]?.details ?? DENIED_BY_NONE }
}

const NONE: readonly RequestMatch[] = []

function allMatches(policies: readonly CompiledPolicy[], request: JudgedRequest): readonly RequestMatch[] {
  if (policies.length === 0) return NONE
  return allHits(policies, request).map(({ policy, rule }) => ({ action: policy.action, policy: policy.key, rule }))
}

/** The same list for all who are refused by it. */
const allowNames = new WeakMap<readonly CompiledPolicy[], readonly string[]>()

function namesOf(policies: readonly CompiledPolicy[]): readonly string[] {
  let names = allowNames.get(policies)
  if (names === undefined) {
    names = policies.map(({ key }) => key)
    allowNames.set(policies, names)
  }
  return names
}
