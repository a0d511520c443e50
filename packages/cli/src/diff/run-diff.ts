import type { FileProblem, Sourced } from '@ambit/analyze'
import { messageOf } from '@ambit/core'
import { MODEL_KINDS } from '@ambit/explain'
import {
  changesAccess,
  diffPolicies,
  MAX_FLOWS_FILE_BYTES,
  type PolicyDiff,
  printMarkdown,
  printText,
  type ReadFlows,
  readFlows,
  refusedObjects,
} from '@ambit/policy-diff'
import { readKinds, readMeshConfig } from '../analyze/read-cluster.ts'
import { readFiles } from '../analyze/read-files.ts'
import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import { SelectionError, SettingError } from '../errors.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { printable } from '../text-table.ts'
import { bothSides } from './both-sides.ts'

const DEFAULT_NAMESPACE = 'default'

export async function runDiff({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const given = flags.list('filename')
  const deleted = flags.list('delete')
  if (given.length + deleted.length === 0)
    throw new SettingError('nothing is changed: -f FILE, or --delete KIND/NAMESPACE/NAME')
  if (flags.has('prune') && given.length === 0) throw new SettingError('--prune goes with -f: it has what stays')

  const against = flags.text('against')
  const cluster = against === undefined ? await context.cluster(flags) : undefined
  const namespace = flags.text('namespace') ?? cluster?.currentNamespace ?? DEFAULT_NAMESPACE
  const files = await readFiles(context, given, namespace)
  const old = against === undefined ? undefined : await readFiles(context, [against], namespace)
  const [skipped] = [...files.skipped, ...(old?.skipped ?? [])]
  if (skipped !== undefined) {
    context.err(`Error: ${skipped} is neither a folder nor a file that ends in .json, .yaml or .yml`)
    return EXIT.badData
  }
  const problems = [...(old?.problems ?? []), ...files.problems, ...refusedObjects(files.objects)]
  if (problems.length > 0) return cannotRead(problems, context)
  const flows = await flowsOf(flags, context)
  if (flows !== undefined && !flows.ok) {
    context.err(`Error: ${flows.file}: ${flows.reason}`)
    return EXIT.badData
  }

  const now = await currentOf(old?.objects, cluster, { namespace, istioNamespace: istioNamespace(flags) })
  for (const note of now.notes) context.err(`Warning: ${note}`)
  const change = {
    files: files.objects,
    deleted,
    prune: flags.has('prune'),
    namespace: flags.text('namespace'),
  }
  const diff = diffPolicies({
    objects: bothSides(now.objects, change),
    settings: {
      meshConfig: now.meshConfig,
      rootNamespace: istioNamespace(flags),
      gaps: now.notes,
    },
    flows: flows?.flows,
  })
  for (const line of printed(diff, flags, context)) context.out(line)
  const failsOn = flags.text('fail-on') ?? 'any'
  const counts = failsOn === 'denied' || failsOn === 'allowed' ? failsOn : undefined
  if (changesAccess(diff, counts)) return EXIT.accessChanges
  // What was not looked at may change as well.
  return diff.isPartial || now.notes.length > 0 ? EXIT.unclear : EXIT.ok
}

interface Current {
  readonly objects: readonly Sourced[]
  readonly meshConfig: string | undefined
  readonly notes: readonly string[]
}

async function currentOf(
  old: readonly Sourced[] | undefined,
  cluster: Cluster | undefined,
  { namespace, istioNamespace }: { readonly namespace: string; readonly istioNamespace: string },
): Promise<Current> {
  if (cluster === undefined) return { objects: old ?? [], meshConfig: meshConfigIn(old ?? []), notes: [] }
  const { objects, notes } = await readKinds(cluster, MODEL_KINDS, namespace)
  const { text, note } = await readMeshConfig(cluster, istioNamespace)
  return {
    objects: objects.map((object) => ({ object })),
    meshConfig: text,
    notes: note === undefined ? notes : [...notes, note],
  }
}

function meshConfigIn(objects: readonly Sourced[]): string | undefined {
  const found = objects.find(({ object: { kind, metadata } }) => kind === 'ConfigMap' && metadata.name === 'istio')
  const { data } = (found?.object ?? {}) as { readonly data?: { readonly mesh?: unknown } }
  return typeof data?.mesh === 'string' ? data.mesh : undefined
}

function cannotRead(problems: readonly FileProblem[], context: Context): ExitCode {
  for (const { file, line, column, message } of problems)
    context.err(`Error: ${file}:${line}:${column}: ${printable(message)}`)
  context.err('Error: what is new can not be read, so nothing is compared.')
  return EXIT.badData
}

type Flows =
  | { readonly ok: true; readonly flows: ReadFlows }
  | { readonly ok: false; readonly file: string; readonly reason: string }

async function flowsOf(flags: Flags, context: Context): Promise<Flows | undefined> {
  const file = flags.text('flows')
  if (file === undefined) return undefined
  let text: string
  try {
    text = await context.readFile(file)
  } catch (cause) {
    throw new SelectionError(`cannot read ${file}: ${messageOf(cause)}`, { cause })
  }
  if (text.length > MAX_FLOWS_FILE_BYTES)
    return { ok: false, file, reason: `it is larger than ${MAX_FLOWS_FILE_BYTES} bytes` }
  const read = readFlows(text)
  return read.ok ? read : { ok: false, file, reason: read.reason }
}

function printed(diff: PolicyDiff, flags: Flags, context: Context): readonly string[] {
  switch (flags.text('output')) {
    case 'json':
      return [JSON.stringify(diff, undefined, 2)]
    case 'markdown':
      return printMarkdown(diff)
    default:
      return printText(diff, { colour: context.colour })
  }
}
