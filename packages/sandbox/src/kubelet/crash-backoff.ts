import { LIMITS } from '../limits.ts'

/** Pauses before a container that ended is started again: none the first time, then doubling (Kubernetes). */
export class CrashBackoff {
  #delayMs: number = LIMITS.crashBackoffInitialMs
  #restarted = false

  /** After a run of that length. */
  next(ranMs: number): number {
    if (ranMs > LIMITS.crashBackoffResetMs) {
      this.#restarted = false
      this.#delayMs = LIMITS.crashBackoffInitialMs
    }
    if (!this.#restarted) {
      this.#restarted = true
      return 0
    }
    const delayMs = this.#delayMs
    this.#delayMs = Math.min(delayMs * 2, LIMITS.crashBackoffMaxMs)
    return delayMs
  }
}

/** A duration as Go prints it, which people search for: `40s`, `1m20s`, `5m0s`. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`
}
