import { LiteralIndex } from '@ambit/state'
import type { CompiledPolicy, CompiledRule, JudgedRequest } from './compiled-policy.types.ts'
import { matchingRequestRule, ruleHolds } from './match-request.ts'
import { type RequestField, requestField } from './request-literals.ts'

export interface RequestHit {
  readonly policy: CompiledPolicy
  readonly rule: number
}

interface IndexedRule extends RequestHit {
  readonly order: number
  readonly compiled: CompiledRule
}

type Index = LiteralIndex<IndexedRule, RequestField>

/** Fewer policies than this are asked one by one. */
const INDEX_FROM = 8

/** Made when a list is first asked; a list never changes. */
const indexes = new WeakMap<readonly CompiledPolicy[], Index>()

/** The first policy of the list of which a rule matches, and its first such rule. */
export function firstHit(policies: readonly CompiledPolicy[], request: JudgedRequest): RequestHit | undefined {
  const index = indexFor(policies, request)
  if (index === undefined) {
    for (const policy of policies) {
      const rule = matchingRequestRule(policy, request)
      if (rule >= 0) return { policy, rule }
    }
    return undefined
  }
  let best: IndexedRule | undefined
  for (const candidate of index.unfiled) {
    if (!ruleHolds(candidate.compiled, request)) continue
    best = candidate
    break
  }
  for (const candidate of index.filed((field) => requestField(request, field))) {
    if ((best === undefined || isBefore(candidate, best)) && ruleHolds(candidate.compiled, request)) best = candidate
  }
  return best
}

/** Each policy of the list of which a rule matches, with its first such rule. */
export function allHits(policies: readonly CompiledPolicy[], request: JudgedRequest): readonly RequestHit[] {
  const index = indexFor(policies, request)
  if (index === undefined) {
    return policies.flatMap((policy) => {
      const rule = matchingRequestRule(policy, request)
      return rule < 0 ? [] : [{ policy, rule }]
    })
  }
  const found = new Map<number, IndexedRule>()
  for (const candidates of [index.unfiled, index.filed((field) => requestField(request, field))]) {
    for (const candidate of candidates) {
      const known = found.get(candidate.order)
      if ((known === undefined || candidate.rule < known.rule) && ruleHolds(candidate.compiled, request)) {
        found.set(candidate.order, candidate)
      }
    }
  }
  return [...found.values()].toSorted((a, b) => a.order - b.order)
}

/** What asks about HTTP holds where there is none, so that its literals say nothing about a TCP connection. */
function indexFor(policies: readonly CompiledPolicy[], { http }: JudgedRequest): Index | undefined {
  if (policies.length < INDEX_FROM || http === undefined) return undefined
  const known = indexes.get(policies)
  if (known !== undefined) return known
  const index: Index = new LiteralIndex()
  for (const [order, policy] of policies.entries()) {
    for (const [rule, compiled] of policy.rules.entries()) {
      index.add({ policy, rule, order, compiled }, compiled.conditions)
    }
  }
  indexes.set(policies, index)
  return index
}

function isBefore(a: IndexedRule, b: IndexedRule): boolean {
  return a.order < b.order || (a.order === b.order && a.rule < b.rule)
}
