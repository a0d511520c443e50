import type { FileProblem } from '@ambit/analyze'
import {
  Coverage,
  type CoverageReport,
  changesBetween,
  changesText,
  coverageText,
  ineffectivePolicies,
  jsonReport,
  junitReport,
  type LoadedSuites,
  loadSuites,
  policyFacts,
  policyTestSchema,
  type RunResult,
  runSuites,
  selectCases,
  tapReport,
  textReport,
} from '@ambit/policy-test'
import { readFiles } from '../analyze/read-files.ts'
import { type Context, istioNamespace } from '../context.types.ts'
import { SelectionError, SettingError } from '../errors.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { printable } from '../text-table.ts'
import { judgesOf } from './judges.ts'
import { watchFiles } from './watch-files.ts'

const DEFAULT_NAMESPACE = 'default'

interface Options {
  readonly files: readonly string[]
  readonly namespace: string
  readonly format: string
  readonly patterns: readonly string[]
  readonly threshold: number | undefined
  readonly coverage: boolean
  readonly colour: boolean
}

/** A run as far as it went: without a result, files could not be understood. */
interface Outcome {
  readonly exit: ExitCode
  readonly result: RunResult | undefined
  /** Files and folders that were read. */
  readonly read: readonly string[]
}

const NOTHING: LoadedSuites = { suites: [], problems: [], notes: [], objects: [] }

export async function runTest({ flags, positionals }: Invocation, context: Context): Promise<ExitCode> {
  if (flags.has('schema')) {
    context.out(policyTestSchema())
    return EXIT.ok
  }
  const options = optionsOf(flags, positionals, context)
  if (!flags.has('watch')) return (await runOnce(flags, options, context, 'full')).exit
  if (options.format !== 'text') throw new SettingError('--watch is for people: it goes with -o text only')
  return await watch(flags, options, context)
}

function optionsOf(flags: Flags, files: readonly string[], context: Context): Options {
  if (files.length === 0) throw new SettingError('ambit test needs files or folders, with policies and with tests')
  const written = flags.text('coverage-threshold')
  const threshold = written === undefined ? undefined : Number(written.replace(/%$/, '') || 'none')
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 100))
    throw new SettingError(`--coverage-threshold is a percentage, 0 to 100, not ${JSON.stringify(written)}`)
  return {
    files,
    namespace: flags.text('namespace') || DEFAULT_NAMESPACE,
    format: flags.text('output') ?? 'text',
    patterns: flags.list('run'),
    threshold,
    coverage: flags.has('coverage') || threshold !== undefined,
    colour: flags.text('color') === undefined ? context.colour : flags.has('color'),
  }
}

async function runOnce(flags: Flags, options: Options, context: Context, detail: 'full' | 'quiet'): Promise<Outcome> {
  const read = await readFiles(context, options.files, options.namespace)
  const meshConfigFile = flags.text('meshConfigFile')
  const meshConfig = meshConfigFile === undefined ? undefined : await context.readFile(meshConfigFile)
  const rootNamespace = istioNamespace(flags)
  const judges = judgesOf({ meshConfig, rootNamespace })
  const isPassedOver = (problem: FileProblem): boolean => problem.isForeign === true && flags.has('ignore-unknown')
  const unread = read.problems.filter((problem) => !isPassedOver(problem))
  const passedOver = read.problems.filter(isPassedOver)
  // What is missing because of them would only be told besides.
  const loaded = unread.length > 0 ? NOTHING : loadSuites(read.objects, { rootNamespace, judgeOf: judges.judgeOf })
  const problems = unread.length > 0 ? unread : loaded.problems
  if (detail === 'full') tellOfFiles(read.skipped, passedOver, loaded, context)
  for (const problem of judges.problems()) context.err(`Warning: ${printable(problem)}`)
  for (const { file, line, column, message } of problems)
    context.err(`Error: ${file}:${line}:${column}: ${printable(message)}`)
  if (problems.length > 0) return { exit: EXIT.badData, result: undefined, read: read.names }
  const suites = selectCases(loaded.suites, options.patterns)
  if (suites.length === 0) throw new SelectionError(nothingToRun(loaded, options))
  if (flags.has('list')) {
    for (const { cases } of suites) for (const { test, name } of cases) context.out(printable(`${test}: ${name}`))
    return { exit: EXIT.ok, result: undefined, read: read.names }
  }
  const failFast = flags.has('fail-fast')
  const counted = options.coverage ? new Coverage(policyFacts(loaded.objects)) : undefined
  const result = runSuites(suites, { now: () => performance.now(), failFast, observe: counted?.observe })
  const coverage = counted?.report(ineffectivePolicies(loaded.objects))
  print(result, coverage, options, flags, context)
  return { exit: verdict(result, coverage, options, context), result, read: read.names }
}

function tellOfFiles(
  skipped: readonly string[],
  passedOver: readonly FileProblem[],
  loaded: LoadedSuites,
  context: Context,
): void {
  for (const path of skipped) context.err(`Skipping file ${path}, recognized file extensions are: .json .yaml .yml`)
  for (const { file, line, message } of passedOver) context.err(`Skipping ${file}:${line}, ${message}`)
  for (const note of loaded.notes) context.err(`Warning: ${note}`)
}

function nothingToRun({ suites }: LoadedSuites, { patterns, files }: Options): string {
  if (suites.length > 0) return `no case has ${patterns.map((each) => JSON.stringify(each)).join(' or ')} in its name`
  return `there is no PolicyTest in ${files.join(', ')}`
}

function print(
  result: RunResult,
  coverage: CoverageReport | undefined,
  { format, colour }: Options,
  flags: Flags,
  context: Context,
): void {
  const linesOf = (): readonly string[] => {
    switch (format) {
      case 'json':
        return [jsonReport(result, coverage)]
      case 'junit':
        return [junitReport(result)]
      case 'tap':
        return tapReport(result)
      default:
        return textReport(result, { colour, verbose: flags.has('verbose') })
    }
  }
  context.out(linesOf().join('\n'))
  if (coverage === undefined || format === 'json') return
  // Programs read what goes to stdout.
  const tell = format === 'text' ? context.out : context.err
  tell(coverageText(coverage).join('\n'))
}

function verdict(
  { failed }: RunResult,
  coverage: CoverageReport | undefined,
  { threshold }: Options,
  context: Context,
): ExitCode {
  if (failed > 0) return EXIT.testsFailed
  if (coverage === undefined || threshold === undefined || coverage.percent >= threshold) return EXIT.ok
  context.err(`Error: coverage is ${coverage.percent.toFixed(1)} %, below ${threshold} %`)
  return EXIT.coverageBelow
}

/** Runs again on every change, until the person ends it. */
async function watch(flags: Flags, options: Options, context: Context): Promise<ExitCode> {
  const over = new AbortController()
  const interrupted = context.interrupted(over.signal)
  let before: RunResult | undefined
  const run = async (): Promise<void> => {
    try {
      const { result } = await runOnce(flags, options, context, before === undefined ? 'full' : 'quiet')
      if (result === undefined) return
      if (before !== undefined) for (const line of changesText(changesBetween(before, result))) context.out(line)
      before = result
    } catch (error) {
      // A file that is being written may be gone for a moment.
      context.err(`Error: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  try {
    await watchFiles(options.files, { run, until: interrupted, tell: context.err })
  } finally {
    over.abort()
  }
  return EXIT.ok
}
