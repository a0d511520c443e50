import type { Clause, CompiledRule, Entry } from '@ambit/policy'
import type { RequestRule } from '@ambit/state'
import { type Dimension, dimensionOfField, dimensionOfKey } from '../semantic/dimension.ts'

/** A field of a rule with what it lists: what is told apart by it, and the test of the data plane itself. */
export interface ClauseOfRule {
  /** Undefined: the destination decides. */
  readonly dimension: Dimension | undefined
  /** Clauses of one name and content say the same. */
  readonly name: string
  readonly values: unknown
  readonly clause: Clause
}

/** As in a compiled rule: alternatives of clauses that must all hold, and conditions that must. */
export interface ClausesOfRule {
  readonly from: readonly (readonly ClauseOfRule[])[]
  readonly to: readonly (readonly ClauseOfRule[])[]
  readonly when: readonly ClauseOfRule[]
}

export function clausesOfRule(rule: RequestRule, compiled: CompiledRule): ClausesOfRule {
  const each = (entry: Entry): readonly ClauseOfRule[] => entry.map((clause) => clauseOf(rule, clause))
  return { from: compiled.from.map(each), to: compiled.to.map(each), when: each(compiled.when) }
}

const ENTRY = /^(from|to)\[(\d+)\]\.(?:source|operation)\.(\w+)$/
const CONDITION = /^when\[(\d+)\]\[(.+)\]$/

function clauseOf(rule: RequestRule, clause: Clause): ClauseOfRule {
  const [, list, entry, name = ''] = ENTRY.exec(clause.field) ?? []
  if (list === 'from' || list === 'to') {
    const from = rule[list][Number(entry)] as unknown as Readonly<Record<string, unknown>> | undefined
    return { dimension: dimensionOfField(name), name, values: from?.[name], clause }
  }
  const [, at, key = ''] = CONDITION.exec(clause.field) ?? []
  const condition = rule.when[Number(at)]
  const values = condition !== undefined && 'values' in condition ? condition.values : undefined
  return { dimension: dimensionOfKey(key), name: key, values, clause }
}
