import type { Clock } from '@ambit/core'
import type { Probe } from '../objects/pod.types.ts'
import type { ProbeResult } from './probe.ts'

export type ProbeKind = 'startup' | 'liveness' | 'readiness'

export interface ProberEvents {
  /** The decision changed: thresholds reached. */
  onChange(kind: ProbeKind, ok: boolean, message: string): void
  onFailure(kind: ProbeKind, message: string): void
}

const DEFAULTS = { periodSeconds: 10, failureThreshold: 3, successThreshold: 1 } as const

/** Counts results against the thresholds of one probe; undefined until one is reached. */
export class ProbeVerdict {
  readonly #successThreshold: number
  readonly #failureThreshold: number
  #successes = 0
  #failures = 0

  constructor(probe: Probe) {
    this.#successThreshold = probe.successThreshold ?? DEFAULTS.successThreshold
    this.#failureThreshold = probe.failureThreshold ?? DEFAULTS.failureThreshold
  }

  add(ok: boolean): boolean | undefined {
    this.#successes = ok ? this.#successes + 1 : 0
    this.#failures = ok ? 0 : this.#failures + 1
    if (this.#successes >= this.#successThreshold) return true
    return this.#failures >= this.#failureThreshold ? false : undefined
  }
}

/** Repeats one probe until the signal: startup stops at its first verdict, the others go on. */
export async function keepProbing(o: {
  readonly kind: ProbeKind
  readonly probe: Probe
  readonly run: () => Promise<ProbeResult>
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly events: ProberEvents
}): Promise<void> {
  const { clock, probe, signal } = o
  const periodMs = (probe.periodSeconds ?? DEFAULTS.periodSeconds) * 1000
  const verdict = new ProbeVerdict(probe)
  let last: boolean | undefined
  try {
    await clock.sleep((probe.initialDelaySeconds ?? 0) * 1000, signal)
    while (!signal.aborted) {
      const result = await o.run()
      if (signal.aborted) return
      if (!result.ok) o.events.onFailure(o.kind, result.message)
      const decided = verdict.add(result.ok)
      if (decided !== undefined && decided !== last) {
        last = decided
        o.events.onChange(o.kind, decided, result.message)
        if (o.kind === 'startup') return
      }
      // A starting container is asked more often than its period, so that a quick one is ready quickly.
      await clock.sleep(
        last === undefined || !last ? Math.min(periodMs, retryMs(result.ok, o.kind, periodMs)) : periodMs,
        signal,
      )
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Readiness is only ever late by this much for a pod that has just started; failures of other probes keep their period. */
function retryMs(ok: boolean, kind: ProbeKind, periodMs: number): number {
  return kind === 'readiness' && !ok ? Math.min(periodMs, 500) : periodMs
}
