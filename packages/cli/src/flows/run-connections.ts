import { encodeFlow } from '@ambit/flow'
import type { FlowGraph } from '@ambit/graph'
import type { Context } from '../context.types.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { jsonText, withoutControls } from '../json.ts'
import { printable, textTable } from '../text-table.ts'
import { edgeTable } from './edge-table.ts'
import { flowText } from './flow-text.ts'
import { everySecond, type Gathered, type GatherOptions, gatherFlows } from './gather-flows.ts'

const PADDING = 2

/** `ambit connections`. */
export async function runConnections({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const output = flags.text('output') ?? 'short'
  const watch = flags.has('watch')
  if (watch && output === 'json') {
    context.err('Error: -w goes with -o short and -o ndjson; a table that changes is no JSON document')
    return EXIT.usage
  }
  const gathered = await gatherFlows(context, flags, { ...shownMeanwhile(context, flags, output), watch })
  const { graph, gaps } = gathered
  if (output === 'json') {
    context.out(jsonText({ ...graph.view(context.now()), gaps }, 2))
  } else if (output === 'short' && !watch) {
    for (const line of table(graph, context)) context.out(line)
  }
  return exitOf(gathered)
}

/** What the shell is told. */
export function exitOf({ gaps, interrupted }: Gathered): ExitCode {
  if (interrupted) return EXIT.interrupted
  return gaps.length > 0 ? EXIT.incomplete : EXIT.ok
}

function shownMeanwhile(context: Context, flags: Flags, output: string): Omit<GatherOptions, 'watch'> {
  const forMs = flags.duration('for') ?? 0
  if (output === 'ndjson') return { forMs, onFlow: (flow) => context.out(withoutControls(encodeFlow(flow).trimEnd())) }
  if (!flags.has('watch')) return { forMs }
  const { screen } = context
  if (screen === undefined) return { forMs, onFlow: (flow) => context.out(printable(flowText(flow))) }
  return {
    forMs,
    meanwhile: (graph, signal) => everySecond(context, signal, () => screen(table(graph, context))),
  }
}

function table(graph: FlowGraph, context: Context): readonly string[] {
  const nowMs = context.now()
  return textTable(edgeTable(graph.view(nowMs), nowMs), PADDING)
}
