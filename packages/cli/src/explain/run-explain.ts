import { COLOURED, type Explanation, explanationText, PLAIN, type Question } from '@ambit/explain'
import type { Flow } from '@ambit/flow'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import { SettingError } from '../errors.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { printable } from '../text-table.ts'
import { askedRequest } from './asked-request.ts'
import { observedFlow, questionOfFlow } from './observed-flow.ts'
import { type MeshRead, readMesh, UnreadableFilesError } from './read-mesh.ts'

const DEFAULT_NAMESPACE = 'default'

/** What happened then, beside what would happen now. */
interface Observed {
  readonly flow: Flow
  /** Whether the answer is another now: policies or what they are about have changed. */
  readonly differs: boolean
}

export async function runExplain({ flags }: Invocation, context: Context): Promise<ExitCode> {
  try {
    return await explainIn(flags, context)
  } catch (error) {
    if (!(error instanceof UnreadableFilesError)) throw error
    context.err(`Error: ${printable(error.message.replaceAll('\n', '; '))}`)
    return EXIT.badData
  }
}

async function explainIn(flags: Flags, context: Context): Promise<ExitCode> {
  const isPast = flags.has('last-denied') || flags.text('connection') !== undefined
  checkFlags(flags, isPast)
  const files = flags.list('filename')
  const usesCluster = files.length === 0 || flags.has('use-kube') || isPast
  const cluster = usesCluster ? await context.cluster(flags) : undefined
  const namespace = flags.text('namespace') || cluster?.currentNamespace || DEFAULT_NAMESPACE
  const read = await readMesh(context, {
    cluster,
    files,
    namespace,
    istioNamespace: istioNamespace(flags),
    meshConfigFile: flags.text('meshConfigFile'),
  })
  if (cluster === undefined || !isPast)
    return tell(read.model.explain(await asked(flags, read, namespace, context)), read, flags, context)
  const { flow, gaps } = await observedFlow(cluster, {
    id: flags.text('connection'),
    from: flags.text('from'),
    namespace,
    istioNamespace: istioNamespace(flags),
  })
  const explanation = read.model.explain(questionOfFlow(flow, read.model))
  const now = { ...explanation, gaps: [...explanation.gaps, ...gaps] }
  return tell(now, read, flags, context, { flow, differs: differs(flow, explanation) })
}

function checkFlags(flags: Flags, isPast: boolean): void {
  if (flags.has('last-denied') && flags.text('connection') !== undefined)
    throw new SettingError('--connection and --last-denied: one of them')
  if (isPast) {
    const given = ['to', 'method', 'path', 'host', 'jwt', 'sni', 'source-ip'].find(
      (name) => flags.text(name) !== undefined,
    )
    if (given !== undefined) throw new SettingError(`--${given} is the flow’s own with --connection and --last-denied`)
    return
  }
  if (flags.text('from') === undefined || flags.text('to') === undefined)
    throw new SettingError('it takes --from and --to, or --connection, or --last-denied')
}

async function asked(flags: Flags, { model }: MeshRead, namespace: string, context: Context): Promise<Question> {
  const request = await askedRequest(flags, context)
  const sni = flags.text('sni')
  const sourceIp = flags.text('source-ip')
  return {
    from: model.clientNamed(flags.text('from') ?? '', namespace),
    to: model.targetNamed(flags.text('to') ?? '', namespace),
    ...(request === undefined ? {} : { request }),
    ...(sni === undefined ? {} : { sni }),
    ...(sourceIp === undefined ? {} : { sourceIp }),
  }
}

function differs({ state, verdict }: Flow, { outcome, policy, reason }: Explanation): boolean {
  const wasDenied = state === 'denied' || verdict?.allowed === false
  if (wasDenied !== (outcome === 'denied')) return true
  const decided = wasDenied ? verdict?.policy : undefined
  // A ztunnel has a name of its own for a PeerAuthentication, which is in its reason.
  return decided !== undefined && decided !== policy && !reason.includes(decided)
}

function tell(
  explanation: Explanation,
  { notes }: MeshRead,
  flags: Flags,
  context: Context,
  observed?: Observed,
): ExitCode {
  if (flags.text('output') === 'json') {
    context.out(JSON.stringify(observed === undefined ? explanation : { ...explanation, observed }, undefined, 2))
  } else {
    const colour = flags.text('color') === undefined ? context.colour : flags.has('color')
    if (observed !== undefined) for (const line of observedLines(observed, explanation)) context.out(line)
    context.out(explanationText(explanation, colour ? COLOURED : PLAIN))
  }
  const { outcome, mixed = [] } = explanation
  if (mixed.length > 0 || notes.length > 0) return EXIT.unclear
  return outcome === 'allowed' ? EXIT.ok : outcome === 'denied' ? EXIT.denied : EXIT.unreachable
}

function observedLines({ flow, differs: isOther }: Observed, { outcome }: Explanation): readonly string[] {
  const { at, reporter, client, server, service, request, verdict, state, id } = flow
  const what = request === undefined ? 'connection' : `${request.method} ${request.path}`
  const to = service === undefined ? server.address : `${service.hostname}:${service.port}`
  const why = verdict === undefined ? '' : `, ${verdict.reason}`
  const line = `${at} ${reporter.kind} ${reporter.pod}: ${what} of ${client.identity ?? client.address} to ${to} ${state}${why} (${id})`
  const now = isOther
    ? `It is another now (${outcome}): policies, or what they are about, have changed since.`
    : 'The same would happen now.'
  return [printable(line), now, '']
}
