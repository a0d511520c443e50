import type { Clock } from '@ambit/core'
import { PING_INTERVAL_MS, PING_TIMEOUT_MS } from './defaults.ts'
import type { EngineSession } from './engine.types.ts'

export interface LivenessOptions {
  readonly intervalMs?: number | undefined
  readonly timeoutMs?: number | undefined
}

/**
 * A peer that is gone without a word is found by PING only (T10): one at each interval after the last answer, and
 * `onDead` when an answer is late. Disposing stops it; it stops by itself when the session ends.
 */
export function watchLiveness(
  session: EngineSession,
  clock: Clock,
  onDead: () => void,
  options: LivenessOptions = {},
): Disposable {
  const { intervalMs = PING_INTERVAL_MS, timeoutMs = PING_TIMEOUT_MS } = options
  let stopped = false
  let timer: Disposable | undefined
  const arm = (ms: number, callback: () => void): void => {
    timer?.[Symbol.dispose]()
    timer = stopped ? undefined : clock.after(ms, callback)
  }
  const stop = (): void => {
    stopped = true
    timer?.[Symbol.dispose]()
  }
  const probe = (): void => {
    arm(timeoutMs, () => {
      stop()
      onDead()
    })
    session.ping().then(
      () => arm(intervalMs, probe),
      () => stop(),
    )
  }
  arm(intervalMs, probe)
  void session.closed.then(stop)
  return { [Symbol.dispose]: stop }
}
