import {
  ANALYZERS,
  type Analyzer,
  analyze,
  type Coverage,
  isCode,
  LEVELS,
  type Level,
  type Message,
  parseSuppression,
  Snapshot,
  type Sourced,
  type Suppression,
} from '@ambit/analyze'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import { SelectionError, SettingError } from '../errors.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { tick } from '../install/apply-mesh.ts'
import { textTable } from '../text-table.ts'
import { DOCUMENTATION, type Format, printMessages } from './print-messages.ts'
import { type ClusterRead, readCluster } from './read-cluster.ts'
import { type FilesRead, readFiles } from './read-files.ts'

const DEFAULT_NAMESPACE = 'default'

export async function runAnalyze({ flags, positionals }: Invocation, context: Context): Promise<ExitCode> {
  if (flags.has('list-analyzers')) {
    for (const line of textTable(
      ANALYZERS.map(({ name, summary }) => [name, summary]),
      3,
    ))
      context.out(line)
    return EXIT.ok
  }
  const failure = thresholdOf(flags, 'failure-threshold', 'Error')
  const shownFrom = thresholdOf(flags, 'output-threshold', 'Info')
  const suppressions = suppressionsOf(flags, context)
  const analyzers = analyzersOf(flags)
  const usesCluster = flags.text('use-kube') !== 'false'
  if (!usesCluster && positionals.length === 0) throw new SelectionError('--use-kube=false needs files to look at')

  const cluster = usesCluster ? await context.cluster(flags) : undefined
  const namespace = flags.text('namespace') || cluster?.currentNamespace || DEFAULT_NAMESPACE
  const files = await readFiles(context, positionals, namespace)
  const read = await cluster
    ?.list({ apiVersion: 'v1', kind: 'Namespace', fieldSelector: `metadata.name=${namespace}` })
    .then(
      (found) => found.length > 0 || hasNamespace(files.objects, namespace),
      () => true,
    )
  if (read === false && !flags.has('all-namespaces'))
    throw new SelectionError(`namespace ${JSON.stringify(namespace)} not found`)
  const there =
    cluster && (await readCluster(cluster, { namespace, istioNamespace: istioNamespace(flags), files: files.objects }))
  for (const path of files.skipped)
    context.err(`Skipping file ${path}, recognized file extensions are: .json .yaml .yml`)
  for (const note of there?.notes ?? []) context.err(`Warning: ${note}`)
  const problems = flags.has('ignore-unknown') ? [] : files.problems
  for (const { file, line, column, message } of problems) context.err(`Error: ${file}:${line}:${column}: ${message}`)

  const snapshot = await snapshotOf(flags, context, files, there)
  const target = flags.has('all-namespaces') ? undefined : namespace
  if (flags.has('verbose')) {
    context.err(`Analyzed resources in ${spell(target)}`)
    context.err(['Executed analyzers:', ...analyzers.map(({ name }) => `\t ${name}`), ''].join('\n'))
  }
  const messages = analyze(snapshot, { namespace: target, suppressions, analyzers })
  const format = (flags.text('output') ?? 'log') as Format
  const shown = messages.filter(({ level }) => isAtLeast(level, shownFrom))
  const colour = flags.text('color') === undefined ? context.colour : flags.has('color')
  const printed = printMessages(shown, format, colour)
  if (printed !== '') context.out(printed)
  if (shown.length === 0) context.err(success(context, files, target, problems.length))
  // As with istioctl, programs that read the messages decide for themselves.
  return format === 'log' ? verdict(messages, failure, problems.length, target, context) : EXIT.ok
}

async function snapshotOf(
  flags: Flags,
  context: Context,
  files: FilesRead,
  there: ClusterRead | undefined,
): Promise<Snapshot> {
  const settings = flags.text('meshConfigFile')
  return new Snapshot({
    cluster: there?.objects ?? [],
    files: files.objects,
    coverage: there?.coverage ?? coverageOfFiles(files.objects),
    meshConfig: settings === undefined ? there?.meshConfig : await context.readFile(settings),
    rootNamespace: istioNamespace(flags),
    revision: flags.text('revision'),
    ...(there === undefined ? { canJudge: true } : {}),
  })
}

/** Without a cluster, what files seldom hold is not known to be missing. */
function coverageOfFiles(objects: readonly Sourced[]): ReadonlyMap<string, Coverage> {
  const withPods = objects.filter(({ object: { kind } }) => WORKLOADS.has(kind))
  const kinds = new Set(objects.map(({ object }) => object.kind))
  return new Map<string, Coverage>([
    ['core/Secret', new Set()],
    ['core/Pod', new Set(withPods.map(({ object }) => object.metadata.namespace ?? ''))],
    ['gateway.networking.k8s.io/GatewayClass', new Set()],
    ...(kinds.has('Namespace') ? [] : [['core/Namespace', new Set<string>()] as const]),
  ])
}

const WORKLOADS: ReadonlySet<string> = new Set([
  'Pod',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
])

function hasNamespace(objects: readonly Sourced[], name: string): boolean {
  return objects.some(({ object }) => object.kind === 'Namespace' && object.metadata.name === name)
}

function verdict(
  messages: readonly Message[],
  failure: Level,
  unread: number,
  target: string | undefined,
  context: Context,
): ExitCode {
  if (messages.some(({ level }) => isAtLeast(level, failure))) {
    context.err(
      `Error: Analyzers found issues when analyzing ${spell(target)}.\nSee ${DOCUMENTATION} for more information about causes and resolutions.`,
    )
    return EXIT.issuesFound
  }
  if (unread === 0) return EXIT.ok
  context.err('Error: Some files couldn’t be parsed.')
  return EXIT.badData
}

function success(context: Context, files: FilesRead, target: string | undefined, unread: number): string {
  if (unread > 0) {
    const what = `${unread} ${unread === 1 ? 'document' : 'documents'}`
    return `No validation issues found when analyzing ${spell(target)} (but ${what} could not be parsed).`
  }
  const [first, second] = files.names
  if (first === undefined) return `${tick(context)} No validation issues found when analyzing ${spell(target)}.`
  if (second === undefined) return `${tick(context)} No validation issues found when analyzing ${first}.`
  return `${tick(context)} No validation issues found when analyzing:\n  - ${files.names.join('\n  - ')}`
}

function spell(target: string | undefined): string {
  return target === undefined ? 'all namespaces' : `namespace: ${target}`
}

function isAtLeast(level: Level, threshold: Level): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(threshold)
}

function thresholdOf(flags: Flags, name: string, otherwise: Level): Level {
  const written = flags.text(name)
  if (written === undefined) return otherwise
  const found = LEVELS.find((level) => level.toLowerCase() === written.toLowerCase())
  if (found === undefined)
    throw new SettingError(`--${name} is one of Info, Warning, Error, not ${JSON.stringify(written)}`)
  return found
}

function suppressionsOf(flags: Flags, context: Context): readonly Suppression[] {
  return flags.list('suppress').map((written) => {
    const suppression = parseSuppression(written)
    if (suppression === undefined)
      throw new SettingError(
        `--suppress is CODE=RESOURCE such as "IST0102=Namespace shop", not ${JSON.stringify(written)}`,
      )
    if (!isCode(suppression.code))
      context.err(
        `Warning: Supplied message code '${suppression.code}' is an unknown message code and will not have any effect.`,
      )
    return suppression
  })
}

function analyzersOf(flags: Flags): readonly Analyzer[] {
  const names = flags.list('analyzer')
  if (names.length === 0) return ANALYZERS
  const unknown = names.find((name) => ANALYZERS.every((one) => one.name !== name))
  if (unknown !== undefined) throw new SettingError(`there is no analyzer ${JSON.stringify(unknown)}; -L lists them`)
  return ANALYZERS.filter(({ name }) => names.includes(name))
}
