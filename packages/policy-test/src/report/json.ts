import type { CoverageReport } from '../coverage.types.ts'
import type { CaseResult, RunResult } from '../run-cases.ts'
import { spellQuestion } from './describe-failure.ts'

/** Format of `ambit test -o json`; docs/policy-tests.md describes it. */
export const RESULT_FORMAT = 'ambit.policy-test-result/v1'

export function jsonReport(run: RunResult, coverage: CoverageReport | undefined): string {
  const { total, passed, failed, notRun, ms, suites } = run
  const tests = suites.map(({ suite, results }) => ({
    name: suite.name,
    file: suite.file,
    cases: results.map(caseOf),
  }))
  return JSON.stringify(
    { format: RESULT_FORMAT, total, passed, failed, notRun, ms: round(ms), tests, coverage },
    null,
    2,
  )
}

function caseOf(result: CaseResult): Readonly<Record<string, unknown>> {
  const { case: asked, outcome, ms, answer, mismatches, explanation, message } = result
  const { name, file, line, column, expected, question } = asked
  const { by, ...others } = expected
  const policy = by && `${by.namespace}/${by.name}${by.rule === undefined ? '' : `#${by.rule}`}`
  return {
    name,
    file,
    line,
    column,
    outcome,
    ms: round(ms),
    asked: spellQuestion(result),
    question,
    expected: { outcome: others.outcome, by: policy, at: others.place, reason: others.reason },
    answer: answer && {
      outcome: answer.outcome,
      point: answer.point,
      reason: answer.reason,
      policy: answer.policy,
      rule: answer.rule,
      unmatched: answer.unmatched,
      allowedBy: answer.allowedBy,
      mixed: answer.mixed,
    },
    ...(outcome === 'passed'
      ? {}
      : { mismatches, message, nearest: explanation?.nearest, notEnforced: explanation?.notEnforced }),
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
