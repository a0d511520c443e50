import type { CaseResult, RunResult } from './run-cases.ts'

/** What is otherwise than it was a run before; names as `test: name`. */
export interface Changes {
  readonly newlyFailed: readonly string[]
  readonly newlyPassed: readonly string[]
  /** Failed before and now, for another reason. */
  readonly failedOtherwise: readonly string[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

export function changesBetween(before: RunResult, after: RunResult): Changes {
  const old = byName(before)
  const now = byName(after)
  const both = [...now].flatMap(([name, result]) => {
    const was = old.get(name)
    return was === undefined ? [] : [{ name, was, result }]
  })
  const names = (wanted: (was: CaseResult, is: CaseResult) => boolean): readonly string[] =>
    both.filter(({ was, result }) => wanted(was, result)).map(({ name }) => name)
  const passed = ({ outcome }: CaseResult): boolean => outcome === 'passed'
  return {
    newlyFailed: names((was, is) => passed(was) && !passed(is)),
    newlyPassed: names((was, is) => !passed(was) && passed(is)),
    failedOtherwise: names((was, is) => !passed(was) && !passed(is) && outcomeOf(was) !== outcomeOf(is)),
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
  }
}

function outcomeOf({ answer, message }: CaseResult): string {
  if (answer === undefined) return message ?? ''
  const { outcome, point, policy, rule } = answer
  return [outcome, point, policy, rule].join(' ')
}

/** Cases of one name are told apart by their order. */
function byName({ suites }: RunResult): ReadonlyMap<string, CaseResult> {
  const results = new Map<string, CaseResult>()
  const seen = new Map<string, number>()
  for (const result of suites.flatMap((suite) => suite.results)) {
    const name = `${result.case.test}: ${result.case.name}`
    const times = (seen.get(name) ?? 0) + 1
    seen.set(name, times)
    results.set(times === 1 ? name : `${name} (${times})`, result)
  }
  return results
}
