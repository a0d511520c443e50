import { messageOf } from '@ambit/core'
import type { Answer, Explanation } from '@ambit/explain'
import type { Judge } from './judge.types.ts'
import { judgeCase, type Mismatch } from './judge-case.ts'
import { MAX_EXPLAINED_FAILURES } from './limits.ts'
import type { TestCase } from './test-case.types.ts'

/** Cases and who answers them: each test that declares something of its own has a mesh of its own. */
export interface Suite {
  readonly name: string
  readonly file: string
  readonly cases: readonly TestCase[]
  readonly judge: Judge
}

export interface CaseResult {
  readonly case: TestCase
  /** `error`: there was no answer, which is nobody's expectation. */
  readonly outcome: 'passed' | 'failed' | 'error'
  readonly ms: number
  readonly answer: Answer | undefined
  readonly mismatches: readonly Mismatch[]
  /** Of failed ones, up to a number of them. */
  readonly explanation: Explanation | undefined
  /** Of an error. */
  readonly message: string | undefined
}

export interface SuiteResult {
  readonly suite: Suite
  readonly results: readonly CaseResult[]
  readonly ms: number
}

export interface RunOptions {
  readonly now: () => number
  readonly failFast: boolean
  /** Is told what every policy said of each case. */
  readonly observe?: ((trace: Explanation) => void) | undefined
}

export interface RunResult {
  readonly suites: readonly SuiteResult[]
  readonly total: number
  readonly passed: number
  readonly failed: number
  /** Cases that were left out: something failed before. */
  readonly notRun: number
  readonly ms: number
}

export function runSuites(suites: readonly Suite[], options: RunOptions): RunResult {
  const { now, failFast } = options
  const started = now()
  const done: SuiteResult[] = []
  let failed = 0
  let passed = 0
  const total = suites.reduce((sum, { cases }) => sum + cases.length, 0)
  const stopped = (): boolean => failFast && failed > 0
  for (const suite of suites) {
    if (stopped()) break
    const begun = now()
    const results: CaseResult[] = []
    for (const each of suite.cases) {
      if (stopped()) break
      const result = runCase(each, suite.judge, options, failed < MAX_EXPLAINED_FAILURES)
      if (result.outcome === 'passed') passed++
      else failed++
      results.push(result)
    }
    done.push({ suite, results, ms: now() - begun })
  }
  return { suites: done, total, passed, failed, notRun: total - passed - failed, ms: now() - started }
}

function runCase(each: TestCase, judge: Judge, { now, observe }: RunOptions, explain: boolean): CaseResult {
  const started = now()
  try {
    const traced = observe && judge.trace(each.question)
    if (traced !== undefined) observe?.(traced)
    const answer = traced ?? judge.ask(each.question)
    const mismatches = judgeCase(each.expected, answer)
    const ms = now() - started
    if (mismatches.length === 0)
      return { case: each, outcome: 'passed', ms, answer, mismatches, explanation: undefined, message: undefined }
    const explanation = explain ? judge.explain(each.question) : undefined
    return { case: each, outcome: 'failed', ms, answer, mismatches, explanation, message: undefined }
  } catch (error) {
    const message = messageOf(error)
    const ms = now() - started
    return { case: each, outcome: 'error', ms, answer: undefined, mismatches: [], explanation: undefined, message }
  }
}
