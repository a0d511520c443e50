import type { CompiledPolicy, CompiledRule, Entry, JudgedRequest } from './compiled-policy.types.ts'

/** Index of the first rule that matches, or -1. Rules are alternatives: a policy without rules matches nothing. */
export function matchingRequestRule(policy: CompiledPolicy, request: JudgedRequest): number {
  const { rules } = policy
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]
    if (rule !== undefined && ruleHolds(rule, request)) return i
  }
  return -1
}

/** Undefined when the rule may be asked; else why it can not match. */
export function excluded(rule: CompiledRule, request: JudgedRequest): 'not-understood' | 'not-http' | undefined {
  if (rule.never) return 'not-understood'
  return rule.httpOnly && request.http === undefined ? 'not-http' : undefined
}

export function ruleHolds(rule: CompiledRule, request: JudgedRequest): boolean {
  if (excluded(rule, request) !== undefined) return false
  return entryHolds(rule.when, request) && anyHolds(rule.to, request) && anyHolds(rule.from, request)
}

function anyHolds(entries: readonly Entry[], request: JudgedRequest): boolean {
  if (entries.length === 0) return true
  for (const entry of entries) if (entryHolds(entry, request)) return true
  return false
}

function entryHolds(entry: Entry, request: JudgedRequest): boolean {
  for (const clause of entry) if (!clause.holds(request)) return false
  return true
}
