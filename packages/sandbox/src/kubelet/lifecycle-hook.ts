import type { Clock } from '@ambit/core'
import type { ExecSession } from '../apiserver/contract.types.ts'
import type { LifecycleHandler } from '../objects/pod.types.ts'
import { httpProbe, type ProbeTarget } from './probe.ts'

/** Runs a postStart or preStop handler for at most that long. */
export async function runHook(
  handler: LifecycleHandler,
  o: {
    readonly clock: Clock
    readonly timeoutMs: number
    readonly target: Pick<ProbeTarget, 'podIp' | 'container' | 'sockets'>
    exec(command: readonly string[], signal: AbortSignal): ExecSession
  },
): Promise<void> {
  if (handler.sleep) await o.clock.sleep(Math.min(o.timeoutMs, handler.sleep.seconds * 1000))
  if (handler.exec) await o.exec(handler.exec.command ?? [], AbortSignal.timeout(o.timeoutMs)).exit
  if (handler.httpGet) await httpProbe(handler.httpGet, o.target, o.timeoutMs)
}
