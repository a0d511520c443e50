import { authorizationpb } from '@ambit/api'
import { create } from '@bufbuild/protobuf'
import type { AuthorizationPolicy, PolicyRule } from '../domain.types.ts'
import { type PolicyCondition, policyCondition } from './policy-condition.ts'
import { isBlank, type MatchOfEntry, matchOfCondition, matchOfOperation, matchOfSource } from './policy-match.ts'

const { Action, Scope } = authorizationpb

export interface CompiledPolicy {
  /** Undefined: proxies that see only connections are not sent this policy. */
  readonly authorization: authorizationpb.Authorization | undefined
  /** For the policy's status; undefined when the policy is not meant for such proxies. */
  readonly condition: PolicyCondition | undefined
}

export interface PolicyOptions {
  readonly rootNamespace: string
  /** AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY. */
  readonly dryRunEnabled?: boolean
}

/** Which part of a rule a clause is made of; a number: that entry of `when`. */
export type ClauseOrigin = 'from' | 'to' | number

interface Clause {
  readonly of: ClauseOrigin
  readonly matches: readonly MatchOfEntry[]
}

interface CompiledRule {
  readonly clauses: readonly Clause[]
  readonly http: readonly string[]
  readonly unknown: readonly string[]
  /** In an ALLOW policy the rule must go: without what is missing it would let in more than written. */
  readonly omitFromAllow: boolean
}

/**
 * AuthorizationPolicy as ztunnel evaluates it, by Istio's conversion. What is not understood at all never widens
 * access: ALLOW loses the rule, in DENY the part not understood counts as matching.
 */
export function compileAuthorizationPolicy(policy: AuthorizationPolicy, options: PolicyOptions): CompiledPolicy {
  if (policy.targetRefs.length > 0) return { authorization: undefined, condition: undefined }
  const { action, unknown } = policy
  const dryRunRefused = policy.dryRun && options.dryRunEnabled !== true
  if (action === 'AUDIT' || action === 'CUSTOM' || dryRunRefused) {
    return { authorization: undefined, condition: policyCondition(policy, { published: false, dryRunRefused }) }
  }
  const rules = policy.rules.map((rule) => compileRule(rule, policy.namespace))
  const groups = action === 'DENY' ? denyGroups(policy, rules) : allowGroups(policy, rules)
  const authorization = create(authorizationpb.AuthorizationSchema, {
    name: policy.name,
    namespace: policy.namespace,
    scope: scopeOf(policy, options.rootNamespace),
    // An unknown action is published as an ALLOW that allows nothing.
    action: action === 'DENY' ? Action.DENY : Action.ALLOW,
    rules: groups.map(({ clauses }) => ({
      clauses: clauses.map(({ matches }) => ({ matches: matches.map(({ match }) => match) })),
    })),
    dryRun: policy.dryRun,
  })
  const condition = policyCondition(policy, {
    published: true,
    dryRunRefused: false,
    http: [...new Set(rules.flatMap((rule) => rule.http))].sort(),
    unknown: [...new Set([...unknown, ...rules.flatMap((rule) => rule.unknown)])],
    hasEffect: groups.some(isEffective),
  })
  return { authorization, condition }
}

function scopeOf(policy: AuthorizationPolicy, rootNamespace: string): authorizationpb.Scope {
  if (policy.selector !== undefined) return Scope.WORKLOAD_SELECTOR
  return policy.namespace === rootNamespace ? Scope.GLOBAL : Scope.NAMESPACE
}

function compileRule(rule: PolicyRule, namespace: string): CompiledRule {
  const to = rule.to.map(matchOfOperation)
  const from = rule.from.map((entry) => matchOfSource(entry, namespace))
  const when = rule.when.map(matchOfCondition)
  const parts: readonly Clause[] = [
    { of: 'to', matches: to },
    { of: 'from', matches: from },
    ...when.map((match, i) => ({ of: i, matches: [match] })),
  ]
  const clauses = parts.filter(({ matches }) => matches.length > 0)
  const all = [...to, ...from, ...when]
  const http = all.flatMap((entry) => entry.http)
  const misread = [...rule.unknown, ...rule.from, ...rule.to, ...rule.when].some((part) =>
    typeof part === 'string' ? true : part.unknown.length > 0,
  )
  return {
    clauses,
    http,
    unknown: [...rule.unknown, ...all.flatMap((entry) => entry.unknown)],
    omitFromAllow: http.length > 0 || misread || all.some((entry) => entry.widened),
  }
}

function allowGroups(policy: AuthorizationPolicy, rules: readonly CompiledRule[]): readonly CompiledRule[] {
  if (policy.action === undefined || policy.unknown.length > 0) return []
  return rules.filter((rule) => !rule.omitFromAllow)
}

/** A rule as proxies without HTTP have it, and what of the policy as written it was made of. */
export interface PublishedRule {
  /** Undefined: no one rule of it. */
  readonly rule: number | undefined
  readonly clauses: readonly ClauseOrigin[]
}

/** The rules that proxies without HTTP are sent, in their order. */
export function publishedRules(policy: AuthorizationPolicy): readonly PublishedRule[] {
  const rules = policy.rules.map((rule) => compileRule(rule, policy.namespace))
  const published = policy.action === 'DENY' ? denyGroups(policy, rules) : allowGroups(policy, rules)
  return published.map((rule, i) => {
    const written = policy.action === 'DENY' ? i : rules.indexOf(rule)
    return { rule: rule === MATCHES_EVERYTHING ? undefined : written, clauses: rule.clauses.map(({ of }) => of) }
  })
}

const MATCHES_EVERYTHING: CompiledRule = { clauses: [], http: [], unknown: [], omitFromAllow: false }

function denyGroups(policy: AuthorizationPolicy, rules: readonly CompiledRule[]): readonly CompiledRule[] {
  if (policy.unknown.includes('rules')) return [MATCHES_EVERYTHING]
  return rules.map((rule, i) => ({ ...rule, clauses: broadened(rule, policy.rules[i]) }))
}

/** A clause with an entry that is not understood might match anything: it no longer restricts the denial. */
function broadened(rule: CompiledRule, written: PolicyRule | undefined): readonly Clause[] {
  const misread = new Set(
    [...(written?.from ?? []), ...(written?.to ?? []), ...(written?.when ?? [])].flatMap(({ unknown }) => unknown),
  )
  return rule.clauses.filter(
    ({ matches }) =>
      !matches.some(
        (entry) => entry.unknown.some((path) => misread.has(path)) || (entry.widened && isBlank(entry.match)),
      ),
  )
}

function isEffective(group: CompiledRule): boolean {
  return group.clauses.every(({ matches }) => matches.some(({ match }) => !isBlank(match)))
}
