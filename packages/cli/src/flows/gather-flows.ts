import { abortable } from '@ambit/core'
import type { Flow } from '@ambit/flow'
import { FlowGraph } from '@ambit/graph'
import type { Context } from '../context.types.ts'
import { istioNamespace } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { printable } from '../text-table.ts'
import { followFlows } from './follow-flows.ts'
import { isSelected, readSelection } from './select-flows.ts'

const SINCE_MS = 600_000

export interface GatherOptions {
  /** Until the person interrupts. */
  readonly watch: boolean
  /** How long otherwise; 0: what there is. */
  readonly forMs: number
  readonly onFlow?: (flow: Flow) => void
  /** While it goes on; to end with the signal. */
  readonly meanwhile?: (graph: FlowGraph, signal: AbortSignal) => Promise<void>
}

export interface Gathered {
  readonly graph: FlowGraph
  readonly gaps: readonly string[]
  readonly interrupted: boolean
}

/** Adds up what the proxies of the cluster tell. What is missing is said on stderr as soon as it is known. */
export async function gatherFlows(context: Context, flags: Flags, options: GatherOptions): Promise<Gathered> {
  const cluster = await context.cluster(flags)
  const selection = readSelection(flags)
  const namespace = flags.text('namespace')
  const graph = new FlowGraph()
  const gaps: string[] = []
  const watch = options.watch || options.forMs > 0
  const stop = new AbortController()
  let interrupted = false
  void context.interrupted(stop.signal).then(() => {
    interrupted = watch
    stop.abort()
  })
  if (!options.watch && options.forMs > 0) {
    context.status?.(`looking for ${options.forMs / 1000} s …`)
    void context.sleep(options.forMs).then(() => stop.abort())
  }
  const meanwhile = options.meanwhile?.(graph, stop.signal)
  try {
    const since = `${Math.ceil((flags.duration('since') ?? SINCE_MS) / 1000)}s`
    const namespaces = namespace === undefined ? undefined : [namespace]
    const followed = { watch, namespaces, since, istioNamespace: istioNamespace(flags), signal: stop.signal }
    for await (const update of followFlows(cluster, followed)) {
      if ('gap' in update) {
        gaps.push(update.gap)
        context.err(`! ${printable(update.gap)}`)
        if (update.pod !== undefined) graph.forget(update.pod)
      } else if (isSelected(update.flow, selection)) {
        graph.add(update.flow)
        options.onFlow?.(update.flow)
      } else graph.drop(update.flow.id)
    }
  } finally {
    stop.abort()
    context.status?.(undefined)
    await meanwhile
  }
  return { graph, gaps, interrupted }
}

/** Calls again and again until the signal. */
export async function everySecond(context: Context, signal: AbortSignal, draw: () => void): Promise<void> {
  while (!signal.aborted) {
    await abortable(context.sleep(REDRAW_MS), signal).catch(() => undefined)
    if (!signal.aborted) draw()
  }
}

const REDRAW_MS = 1_000
