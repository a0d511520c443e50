import type { Clock } from '@ambit/core'
import type { Container, Probe } from '../objects/pod.types.ts'
import type { ProbeResult } from './probe.ts'
import { keepProbing, type ProbeKind } from './prober.ts'

export interface ProbeEvents {
  onReady(ready: boolean): void
  /** The startup probe has succeeded; the others begin. */
  onStarted(): void
  /** Liveness or startup failed as often as allowed: the container is to be restarted. */
  onDead(kind: ProbeKind, probe: Probe): void
  onFailure(kind: ProbeKind, message: string): void
}

/** The probes of one run of a container: startup first, then liveness and readiness, until the signal. */
export function startProbes(
  container: Pick<Container, 'startupProbe' | 'livenessProbe' | 'readinessProbe'>,
  o: {
    readonly clock: Clock
    readonly signal: AbortSignal
    readonly run: (probe: Probe) => Promise<ProbeResult>
    readonly events: ProbeEvents
  },
): void {
  const { events } = o
  const keep = (kind: ProbeKind, onChange: (ok: boolean, probe: Probe) => void): void => {
    const probe = container[`${kind}Probe`]
    if (!probe) return
    void keepProbing({
      ...o,
      kind,
      probe,
      run: () => o.run(probe),
      events: { onFailure: events.onFailure, onChange: (_kind, ok) => onChange(ok, probe) },
    })
  }
  const rest = (): void => {
    keep('readiness', (ok) => events.onReady(ok))
    keep('liveness', (ok, probe) => {
      if (!ok) events.onDead('liveness', probe)
    })
  }
  if (!container.startupProbe) return rest()
  keep('startup', (ok, probe) => {
    if (!ok) return events.onDead('startup', probe)
    events.onStarted()
    rest()
  })
}
