import type { CaseResult, RunResult } from '../run-cases.ts'
import { describeFailure, type Fact } from './describe-failure.ts'
import { printable } from './printable.ts'

export interface TextOptions {
  readonly colour: boolean
  /** Also what came as expected. */
  readonly verbose: boolean
}

const RED = 31
const GREEN = 32
const GREY = 90

/** For people: what failed and why, then how it went. */
export function textReport(run: RunResult, { colour, verbose }: TextOptions): readonly string[] {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const lines: string[] = []
  for (const { suite, results } of run.suites) {
    const failed = results.filter(({ outcome }) => outcome !== 'passed')
    const passed = results.length - failed.length
    lines.push(`${suite.name}  ${paint(GREY, suite.file)}`)
    if (verbose)
      for (const result of results)
        if (result.outcome === 'passed') lines.push(`  ${paint(GREEN, '✔')} ${titleOf(result)}`)
    if (!verbose && passed > 0) lines.push(`  ${paint(GREEN, '✔')} ${counted(passed, 'case', 'cases')} as expected`)
    for (const result of failed) {
      const { file, line, column } = result.case
      lines.push(`  ${paint(RED, '✘')} ${titleOf(result)}  ${paint(GREY, `${file}:${line}:${column}`)}`)
      for (const [title, text] of factsOf(result))
        lines.push(`      ${paint(GREY, title.padEnd(8))}  ${printable(text)}`)
    }
    lines.push('')
  }
  lines.push(summary(run))
  return lines
}

/** The question is told where the name does not tell it. */
function factsOf(result: CaseResult): readonly Fact[] {
  return describeFailure(result).filter(([title, text]) => title !== 'question' || text !== result.case.name)
}

function titleOf({ case: { name } }: CaseResult): string {
  return printable(name)
}

/** One line: how it went. */
export function summary({ total, passed, failed, notRun, ms }: RunResult): string {
  const parts = [
    ...(failed === 0 ? [] : [`${number(failed)} failed`]),
    `${number(passed)} as expected`,
    ...(notRun === 0 ? [] : [`${number(notRun)} not run`]),
  ]
  return `${counted(total, 'case', 'cases')}: ${parts.join(', ')} (${(ms / 1000).toFixed(2)} s)`
}

export function counted(count: number, one: string, several: string): string {
  return `${number(count)} ${count === 1 ? one : several}`
}

function number(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')
}
