import type { ClauseTrace, RuleTrace } from '@ambit/explain'

/** Fields of a rule that matched, each of which it would not have matched without. */
export function neededClauses({ clauses }: RuleTrace): readonly string[] {
  return partsOf(clauses).flatMap((entries) => {
    const holding = entries.filter((entry) => entry.every(({ holds }) => holds))
    const [only, another] = holding
    // Of two alternatives that hold neither is needed.
    return only === undefined || another !== undefined ? [] : only.map(({ field }) => field)
  })
}

/** Fields of a rule that did not match, each of which alone kept it from that. */
export function preventingClauses({ clauses }: RuleTrace): readonly string[] {
  const failing = partsOf(clauses).filter((entries) => !entries.some((entry) => entry.every(({ holds }) => holds)))
  const [only, another] = failing
  if (only === undefined || another !== undefined) return []
  return only.flatMap((entry) => {
    const [failed, second] = entry.filter(({ holds }) => !holds)
    return failed === undefined || second !== undefined ? [] : [failed.field]
  })
}

type Entry = readonly ClauseTrace[]

/** `from`, `to` and `when`: of the first two one entry must hold, the last is one entry. */
function partsOf(clauses: readonly ClauseTrace[]): readonly (readonly Entry[])[] {
  const parts = new Map<string, Map<string, ClauseTrace[]>>()
  for (const clause of clauses) {
    const [, part = 'when', entry = ''] = /^(from|to)\[(\d+)\]/.exec(clause.field) ?? []
    parts
      .getOrInsertComputed(part, () => new Map<string, ClauseTrace[]>())
      .getOrInsertComputed(entry, () => [])
      .push(clause)
  }
  return [...parts.values()].map((entries) => [...entries.values()])
}
