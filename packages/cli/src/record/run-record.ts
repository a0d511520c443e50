import { FlowRecorder, type FlowsEnd } from '@ambit/policy-diff'
import { type Context, istioNamespace } from '../context.types.ts'
import { followFlows } from '../flows/follow-flows.ts'
import type { Flags, Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { RECORD_CHECKPOINT_MS } from '../limits.ts'
import { type Recorded, recordFlows } from './record-flows.ts'
import { whatPoliciesRead } from './what-policies-read.ts'

const OUTPUT = 'flows.jsonl'

export async function runRecord({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const cluster = await context.cluster(flags)
  const output = flags.text('output') ?? OUTPUT
  const namespace = flags.text('namespace')
  const now = (): string => new Date(context.now()).toISOString()
  const { reads, waypointPods, gaps } = await whatPoliciesRead(cluster)
  const namespaces = namespace === undefined ? [] : [namespace]
  const startedAt = now()
  const recorder = new FlowRecorder({ startedAt, namespaces, reads, waypointPods })
  for (const gap of gaps) {
    context.err(`Warning: ${gap}`)
    recorder.gap(gap, now())
  }
  const file = new RecordingFile(context, output, recorder)
  await file.write({ at: now(), complete: false, reason: 'recording' })
  context.err(`Recording to ${output}${until(flags)}`)

  // Until the file is written, a second Ctrl-C does not cut it short.
  const over = new AbortController()
  const stop = new AbortController()
  let isInterrupted = false
  void context.interrupted(over.signal).then(() => {
    isInterrupted = true
    stop.abort()
  })
  using _ofTime = stopAfter(flags.duration('for'), stop)
  let nextCheckpoint = context.now() + RECORD_CHECKPOINT_MS
  const onProgress = (): void => {
    context.status?.(`${recorder.counted} connections and requests`)
    if (context.now() < nextCheckpoint) return
    nextCheckpoint = context.now() + RECORD_CHECKPOINT_MS
    file.checkpoint({ at: now(), complete: false, reason: 'recording' })
  }
  try {
    const updates = followFlows(cluster, {
      watch: true,
      namespaces: namespace === undefined ? undefined : namespaces,
      // What was refused before is no part of it.
      since: startedAt,
      istioNamespace: istioNamespace(flags),
      signal: stop.signal,
    })
    const count = flags.count('count')
    const recorded = await recordFlows(updates, recorder, { now, signal: stop.signal, count, onProgress })
    context.status?.(undefined)
    const end = endOf(recorded, isInterrupted && flags.duration('for') !== undefined)
    await file.write({ at: now(), ...end })
    for (const gap of recorder.gaps.slice(gaps.length)) context.err(`Warning: ${gap}`)
    context.err(`Recorded ${recorder.counted} connections and requests, ${recorder.kinds} different ones: ${output}`)
    if (recorded.kind === 'failed') throw recorded.error
    return EXIT.ok
  } finally {
    stop.abort()
    over.abort()
  }
}

function until(flags: Flags): string {
  const [time, count] = [flags.text('for'), flags.count('count')]
  if (time === undefined && count === undefined) return ', until Ctrl-C'
  return `${time === undefined ? '' : `, for ${time}`}${count === undefined ? '' : `, until there are ${count}`}`
}

function endOf(recorded: Recorded, isEarly: boolean): Pick<FlowsEnd, 'complete' | 'reason'> {
  if (recorded.kind === 'failed') return { complete: false, reason: 'it failed' }
  if (recorded.kind === 'ended') return { complete: false, reason: 'no proxy told anything any more' }
  return isEarly ? { complete: false, reason: 'interrupted' } : { complete: true, reason: recorded.kind }
}

function stopAfter(ms: number | undefined, stop: AbortController): Disposable {
  if (ms === undefined) return { [Symbol.dispose]: () => undefined }
  const timer = setTimeout(() => stop.abort(), ms)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

/** The file, replaced as a whole whenever it is written: whoever reads it finds a recording. */
class RecordingFile {
  readonly #context: Pick<Context, 'writeFile' | 'err'>
  readonly #path: string
  readonly #recorder: FlowRecorder
  #writing: Promise<void> = Promise.resolve()
  #waiting = false

  constructor(context: Pick<Context, 'writeFile' | 'err'>, path: string, recorder: FlowRecorder) {
    this.#context = context
    this.#path = path
    this.#recorder = recorder
  }

  /** When the last one is written; meanwhile another one is not needed. */
  checkpoint(end: Omit<FlowsEnd, 'kind' | 'flows' | 'counted'>): void {
    if (this.#waiting) return
    this.#waiting = true
    this.write(end)
      .catch((error: unknown) => this.#context.err(`Warning: ${String(error)}`))
      .finally(() => {
        this.#waiting = false
      })
  }

  async write(end: Omit<FlowsEnd, 'kind' | 'flows' | 'counted'>): Promise<void> {
    const text = this.#recorder.lines(end).map((line) => `${JSON.stringify(line)}\n`)
    const before = this.#writing.catch(() => undefined)
    this.#writing = before.then(() => this.#context.writeFile(this.#path, text.join('')))
    await this.#writing
  }
}
