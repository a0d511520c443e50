import { messageOf } from '@ambit/core'
import type { FlowRecorder } from '@ambit/policy-diff'
import type { FlowUpdate } from '../flows/follow-flows.types.ts'

export interface RecordFlowsOptions {
  /** RFC 3339, UTC. */
  readonly now: () => string
  /** It is told to stop: the time is over, or a person says so. */
  readonly signal: AbortSignal
  /** Enough is recorded. */
  readonly count: number | undefined
  /** Something was added. */
  readonly onProgress: () => void
}

export type Recorded =
  | { readonly kind: 'stopped' | 'enough' | 'ended' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** Adds up what proxies tell, until it is told to stop, has enough, or nobody tells anything any more. */
export async function recordFlows(
  updates: AsyncIterable<FlowUpdate>,
  recorder: FlowRecorder,
  { now, signal, count = Number.POSITIVE_INFINITY, onProgress }: RecordFlowsOptions,
): Promise<Recorded> {
  try {
    for await (const update of updates) {
      if ('gap' in update) recorder.gap(update.gap, now())
      else recorder.add(update.flow)
      onProgress()
      if (recorder.counted >= count) return { kind: 'enough' }
      if (signal.aborted) break
    }
  } catch (error) {
    if (!signal.aborted) {
      recorder.gap(`the recording ended early: ${messageOf(error)}`, now())
      return { kind: 'failed', error }
    }
  }
  return { kind: signal.aborted ? 'stopped' : 'ended' }
}
