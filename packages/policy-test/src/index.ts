export { type Changes, changesBetween } from './changes.ts'
export { Coverage } from './coverage.ts'
export type { CoverageReport, PolicyCoverage, RuleCoverage } from './coverage.types.ts'
export { type DecodedTest, decodePolicyTest, isPolicyTest } from './decode/policy-test.ts'
export type { Judge } from './judge.types.ts'
export { type Bench, type LoadedSuites, loadSuites } from './load-suites.ts'
export { ineffectivePolicies } from './manifests/check-policies.ts'
export { policyFacts } from './policy-facts.ts'
export { changesText } from './report/changes-text.ts'
export { coverageText } from './report/coverage-text.ts'
export { jsonReport, RESULT_FORMAT } from './report/json.ts'
export { junitReport } from './report/junit.ts'
export { tapReport } from './report/tap.ts'
export { type TextOptions, textReport } from './report/text.ts'
export {
  type CaseResult,
  type RunOptions,
  type RunResult,
  runSuites,
  type Suite,
  type SuiteResult,
} from './run-cases.ts'
export { policyTestSchema } from './schema.ts'
export { selectCases } from './select-cases.ts'
export type { TestCase } from './test-case.types.ts'
