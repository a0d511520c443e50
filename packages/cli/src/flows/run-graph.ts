import { dotText, edgeLabel, type FlowGraph, type GraphView, mermaidText } from '@ambit/graph'
import type { Context } from '../context.types.ts'
import type { Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { jsonText } from '../json.ts'
import { printable, textTable } from '../text-table.ts'
import { nodeName } from './edge-table.ts'
import { everySecond, gatherFlows } from './gather-flows.ts'
import { exitOf } from './run-connections.ts'

const LOOK_MS = 5_000
const PADDING = 2

/** `ambit graph`. */
export async function runGraph({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const output = flags.text('output') ?? 'short'
  const watch = flags.has('watch')
  if (watch && (output === 'dot' || output === 'mermaid')) {
    context.err(`Error: -w goes with -o short and -o json; ${output} is one picture`)
    return EXIT.usage
  }
  const forMs = flags.duration('for') ?? LOOK_MS
  const draw = (graph: FlowGraph): void => show(graph.view(context.now()), output, watch, context)
  const gathered = await gatherFlows(context, flags, {
    watch,
    forMs,
    ...(watch ? { meanwhile: (graph, signal) => everySecond(context, signal, () => draw(graph)) } : {}),
  })
  if (!watch) {
    if (output === 'json') {
      context.out(jsonText({ ...gathered.graph.view(context.now()), gaps: gathered.gaps }, 2))
    } else draw(gathered.graph)
  }
  return exitOf(gathered)
}

function show(view: GraphView, output: string, watch: boolean, { out, screen }: Context): void {
  switch (output) {
    case 'dot':
      return out(dotText(view))
    case 'mermaid':
      return out(mermaidText(view))
    case 'json':
      return out(jsonText(view))
    default: {
      const lines = edgeLines(view)
      if (watch && screen !== undefined) return screen(lines)
      for (const line of lines) out(line)
    }
  }
}

/** `shop/web  ->  svc shop/db  12 req, 1.2 MiB`. */
function edgeLines({ nodes, edges }: GraphView): readonly string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const name = (id: string): string => nodeName(byId.get(id), id)
  if (edges.length === 0) return ['No traffic seen.']
  return textTable(
    edges.map((edge) => [name(edge.from), '->', name(edge.to), printable(edgeLabel(edge))]),
    PADDING,
  )
}
