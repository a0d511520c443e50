import { type Authorization, policyKey, type Rule } from './authorization.types.ts'
import { type FieldValue, LiteralIndex } from './literal-index.ts'
import { type ConnectionField, type Enforcement, enforcementOf, ruleConditions } from './policy-literals.ts'

/** A policy where it was added: the order decides which of several that match is named. */
export interface GroupedPolicy {
  readonly policy: Authorization
  readonly order: number
  readonly rules: readonly IndexedRule[]
}

export interface IndexedRule {
  readonly policy: Authorization
  readonly order: number
  readonly rule: Rule
  readonly index: number
}

export interface RuleHit {
  readonly policy: Authorization
  readonly rule: number
}

type Index = LiteralIndex<IndexedRule, ConnectionField>

/** Policies of one scope, their rules found by the literals they name. */
export class PolicyGroup {
  readonly #held = new Set<GroupedPolicy>()
  readonly #indexes: Readonly<Record<Enforcement, Index>> = {
    deny: new LiteralIndex(),
    allow: new LiteralIndex(),
    dryRun: new LiteralIndex(),
  }
  #allows = 0
  #orders = 0
  #policies: readonly Authorization[] | undefined
  #allowNames: readonly string[] | undefined

  static of(policies: readonly Authorization[]): PolicyGroup {
    const group = new PolicyGroup()
    for (const policy of policies) group.add(policy)
    return group
  }

  get size(): number {
    return this.#held.size
  }

  /** Whether there is an ALLOW policy that counts. */
  get hasAllow(): boolean {
    return this.#allows > 0
  }

  /** In the order they were added. */
  get policies(): readonly Authorization[] {
    return (this.#policies ??= Array.from(this.#held, ({ policy }) => policy))
  }

  /** Of the ALLOW policies that count. */
  get allowNames(): readonly string[] {
    return (this.#allowNames ??= this.policies
      .filter((policy) => enforcementOf(policy) === 'allow')
      .map((policy) => policyKey(policy)))
  }

  add(policy: Authorization): GroupedPolicy {
    const order = this.#orders++
    const rules = policy.rules.map((rule, index) => ({ policy, order, rule, index }))
    const grouped = { policy, order, rules }
    const enforcement = enforcementOf(policy)
    for (const rule of rules) this.#indexes[enforcement].add(rule, ruleConditions(rule.rule))
    this.#held.add(grouped)
    if (enforcement === 'allow') this.#allows++
    this.#changed()
    return grouped
  }

  remove(grouped: GroupedPolicy): void {
    if (!this.#held.delete(grouped)) return
    const enforcement = enforcementOf(grouped.policy)
    for (const rule of grouped.rules) this.#indexes[enforcement].remove(rule)
    if (enforcement === 'allow') this.#allows--
    this.#changed()
  }

  /** The first policy of which a rule matches, and its first such rule. */
  first(
    enforcement: 'deny' | 'allow',
    valueOf: FieldValue<ConnectionField>,
    matches: (rule: Rule) => boolean,
  ): RuleHit | undefined {
    const index = this.#indexes[enforcement]
    let best: IndexedRule | undefined
    for (const candidate of index.unfiled) {
      if (!matches(candidate.rule)) continue
      best = candidate
      break
    }
    for (const candidate of index.filed(valueOf)) {
      if ((best === undefined || isBefore(candidate, best)) && matches(candidate.rule)) best = candidate
    }
    return best && { policy: best.policy, rule: best.index }
  }

  /** Each dry-run policy of which a rule matches, with its first such rule. */
  dryRun(valueOf: FieldValue<ConnectionField>, matches: (rule: Rule) => boolean): readonly RuleHit[] {
    const index = this.#indexes.dryRun
    const found = new Map<number, IndexedRule>()
    for (const candidates of [index.unfiled, index.filed(valueOf)]) {
      for (const candidate of candidates) {
        const known = found.get(candidate.order)
        if ((known === undefined || candidate.index < known.index) && matches(candidate.rule)) {
          found.set(candidate.order, candidate)
        }
      }
    }
    if (found.size === 0) return NONE
    return [...found.values()]
      .toSorted((a, b) => a.order - b.order)
      .map((hit) => ({ policy: hit.policy, rule: hit.index }))
  }

  #changed(): void {
    this.#policies = undefined
    this.#allowNames = undefined
  }
}

const NONE: readonly RuleHit[] = []

function isBefore(a: IndexedRule, b: IndexedRule): boolean {
  return a.order < b.order || (a.order === b.order && a.index < b.index)
}
