import type { CaseResult, RunResult } from '../run-cases.ts'
import { describeFailure } from './describe-failure.ts'
import { printable } from './printable.ts'

/** TAP version 14: https://testanything.org/tap-version-14-specification.html */
export function tapReport({ suites, total, notRun }: RunResult): readonly string[] {
  const lines = ['TAP version 14', `1..${total}`]
  let number = 0
  for (const { results } of suites) {
    for (const result of results) {
      number++
      const { test, name } = result.case
      lines.push(`${result.outcome === 'passed' ? 'ok' : 'not ok'} ${number} - ${escape(`${test}: ${name}`)}`)
      if (result.outcome !== 'passed') lines.push(...diagnostics(result))
    }
  }
  if (notRun > 0) lines.push('Bail out! a case failed, the rest was not run')
  return lines
}

/** A `#` would begin a directive. */
function escape(text: string): string {
  return printable(text).replace(/[\\#]/g, '\\$&')
}

/** A block of YAML; JSON's texts are YAML's. */
function diagnostics(result: CaseResult): readonly string[] {
  const { file, line, column } = result.case
  const facts = new Map<string, string[]>()
  for (const [title, text] of describeFailure(result)) facts.getOrInsertComputed(title, () => []).push(text)
  const written = [...facts].flatMap(([title, texts]) => {
    const [only = '', another] = texts
    if (another === undefined && title !== 'nearest' && title !== 'note') return [`${title}: ${JSON.stringify(only)}`]
    return [`${title}:`, ...texts.map((text) => `  - ${JSON.stringify(text)}`)]
  })
  const place = ['at:', `  file: ${JSON.stringify(file)}`, `  line: ${line}`, `  column: ${column}`]
  return ['---', ...written, ...place, '...'].map((each) => `  ${each}`)
}
