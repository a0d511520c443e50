import type { OutlierDetection } from '@ambit/state'
import { MAX_EJECTION_MS } from '../limits.ts'

interface EndpointHealth {
  consecutive5xx: number
  consecutiveGatewayErrors: number
  /** Times it was taken out, less the quiet intervals since. */
  ejections: number
  ejectedUntilMs: number
}

const GATEWAY_ERRORS: ReadonlySet<number> = new Set([502, 503, 504])
const NONE: ReadonlySet<string> = new Set()

/** Takes endpoints out of use for a while that fail several times in a row (Envoy). */
export class OutlierDetector {
  readonly #settings: OutlierDetection
  readonly #now: () => number
  readonly #health = new Map<string, EndpointHealth>()
  readonly #ejected = new Set<string>()
  /** Endpoints there are. */
  #total = 0

  constructor(settings: OutlierDetection, now: () => number) {
    this.#settings = settings
    this.#now = now
  }

  /** Notes how an attempt ended: a failure to get any answer counts as 503. */
  note(uid: string, status: number): void {
    const known = this.#health.get(uid)
    if (status < 500) {
      if (known !== undefined) known.consecutive5xx = known.consecutiveGatewayErrors = 0
      return
    }
    const health = known ?? { consecutive5xx: 0, consecutiveGatewayErrors: 0, ejections: 0, ejectedUntilMs: 0 }
    this.#health.set(uid, health)
    health.consecutive5xx++
    if (GATEWAY_ERRORS.has(status)) health.consecutiveGatewayErrors++
    else health.consecutiveGatewayErrors = 0
    const { consecutive5xx, consecutiveGatewayErrors } = this.#settings
    const reached = (count: number, limit: number): boolean => limit > 0 && count >= limit
    if (
      reached(health.consecutive5xx, consecutive5xx) ||
      reached(health.consecutiveGatewayErrors, consecutiveGatewayErrors)
    )
      this.#eject(uid, health)
  }

  /** Which of these endpoints, all there are, are out of use now. */
  ejectedAmong(uids: readonly string[]): ReadonlySet<string> {
    this.#total = uids.length
    if (this.#health.size > 2 * uids.length) this.#forgetOthers(new Set(uids))
    if (this.#ejected.size === 0) return NONE
    const now = this.#now()
    const present = new Set(uids)
    for (const uid of this.#ejected) {
      const health = this.#health.get(uid)
      if (health !== undefined && health.ejectedUntilMs > now && present.has(uid)) continue
      this.#ejected.delete(uid)
      if (!present.has(uid)) this.#health.delete(uid)
    }
    const healthy = ((uids.length - this.#ejected.size) / uids.length) * 100
    return healthy < this.#settings.minHealthPercent ? NONE : this.#ejected
  }

  /** Pods come and go. */
  #forgetOthers(present: ReadonlySet<string>): void {
    for (const uid of this.#health.keys()) if (!present.has(uid)) this.#health.delete(uid)
  }

  #eject(uid: string, health: EndpointHealth): void {
    const now = this.#now()
    if (this.#ejected.has(uid)) return
    const share = (this.#ejected.size / Math.max(1, this.#total)) * 100
    // However small the share that may be out is: one endpoint always may.
    if (this.#ejected.size > 0 && share >= this.#settings.maxEjectionPercent) return
    const { intervalMs, baseEjectionMs } = this.#settings
    const quiet = health.ejectedUntilMs === 0 ? 0 : Math.floor((now - health.ejectedUntilMs) / Math.max(1, intervalMs))
    health.ejections = Math.max(0, health.ejections - quiet) + 1
    const longest = Math.max(baseEjectionMs, MAX_EJECTION_MS)
    health.ejectedUntilMs = now + Math.min(baseEjectionMs * health.ejections, longest)
    health.consecutive5xx = health.consecutiveGatewayErrors = 0
    this.#ejected.add(uid)
  }
}
