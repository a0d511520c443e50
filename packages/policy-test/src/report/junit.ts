import type { CaseResult, RunResult, SuiteResult } from '../run-cases.ts'
import { describeFailure, spellExpectation } from './describe-failure.ts'

/** JUnit's XML, as CI systems read it: a suite for each test, a failure with the reason as its text. */
export function junitReport(run: RunResult): string {
  const counts = countsOf(run.suites.flatMap(({ results }) => results))
  const suites = run.suites.map(suiteElement).join('')
  const open = `<testsuites name="ambit test" ${counts} time="${seconds(run.ms)}">`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${open}\n${suites}</testsuites>`
}

function suiteElement({ suite, results, ms }: SuiteResult): string {
  const names = `name="${attribute(suite.name)}" file="${attribute(suite.file)}"`
  const open = `  <testsuite ${names} ${countsOf(results)} time="${seconds(ms)}">`
  return `${open}\n${results.map(caseElement).join('')}  </testsuite>\n`
}

function countsOf(results: readonly CaseResult[]): string {
  const count = (wanted: CaseResult['outcome']): number => results.filter(({ outcome }) => outcome === wanted).length
  return `tests="${results.length}" failures="${count('failed')}" errors="${count('error')}" skipped="0"`
}

function caseElement(result: CaseResult): string {
  const { test, name, file, line } = result.case
  const names = `name="${attribute(name)}" classname="${attribute(test)}"`
  const open = `    <testcase ${names} file="${attribute(file)}" line="${line}" time="${seconds(result.ms)}"`
  if (result.outcome === 'passed') return `${open}/>\n`
  const facts = describeFailure(result)
  const actual = facts.find(([title]) => title === 'actual')?.[1] ?? ''
  const message = attribute(`expected ${spellExpectation(result)}, actual ${actual}`)
  const text = facts.map(([title, fact]) => `${title.padEnd(8)}  ${fact}`).join('\n')
  const element = result.outcome === 'error' ? 'error' : 'failure'
  const type = result.mismatches[0]?.what ?? 'error'
  const inside = `      <${element} message="${message}" type="${type}">${content(text)}</${element}>`
  return `${open}>\n${inside}\n    </testcase>\n`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(6)
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
/** What XML 1.0 has no place for, not even escaped; lone halves of surrogate pairs among it. */
const NO_CHARACTER = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

function content(text: string): string {
  return text.replace(NO_CHARACTER, '\uFFFD').replace(/[&<>"]/g, (c) => ESCAPES[c] ?? c)
}

/** A parser would make blanks of line breaks. */
function attribute(text: string): string {
  return content(text).replace(/[\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`)
}
