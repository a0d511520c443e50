import type { Suite } from './run-cases.ts'

/** The cases whose `test: name` contains one of the patterns; `*` stands for anything, and case does not matter. */
export function selectCases(suites: readonly Suite[], patterns: readonly string[]): readonly Suite[] {
  if (patterns.length === 0) return suites
  const tests = patterns.map((pattern) => new RegExp(pattern.split('*').map(RegExp.escape).join('.*'), 'isu'))
  return suites.flatMap((suite) => {
    const cases = suite.cases.filter(({ test, name }) => tests.some((matches) => matches.test(`${test}: ${name}`)))
    return cases.length === 0 ? [] : [{ ...suite, cases }]
  })
}
