import { AmbitError, type Clock } from '@ambit/core'
import type { ExecSession } from '../apiserver/contract.types.ts'
import type { LifecycleHandler } from '../objects/pod.types.ts'
import { httpProbe, type ProbeTarget } from './probe.ts'

/** A postStart or preStop handler failed; told as an event. */
export class HookError extends AmbitError {
  readonly code = 'SANDBOX_LIFECYCLE_HOOK'
}

/** Runs a postStart or preStop handler for at most that long; rejects when it fails. */
export async function runHook(
  handler: LifecycleHandler,
  o: {
    readonly clock: Clock
    readonly timeoutMs: number
    readonly target: Pick<ProbeTarget, 'podIp' | 'container' | 'sockets'>
    exec(command: readonly string[], signal: AbortSignal): ExecSession
  },
): Promise<void> {
  if (handler.sleep) return await o.clock.sleep(Math.min(o.timeoutMs, handler.sleep.seconds * 1000))
  if (handler.exec) {
    const words = handler.exec.command ?? []
    const session = o.exec(words, AbortSignal.timeout(o.timeoutMs))
    for (const stream of [session.stdout, session.stderr]) stream?.resume()
    const exit = await session.exit
    if ('error' in exit || exit.code !== 0)
      throw new HookError(
        `Exec lifecycle hook (${words.join(' ')}) failed: ${'error' in exit ? exit.error : `exit code ${exit.code}`}`,
      )
  }
  if (handler.httpGet) {
    const { ok, message } = await httpProbe(handler.httpGet, o.target, o.timeoutMs)
    if (!ok) throw new HookError(`Http lifecycle hook (${handler.httpGet.path ?? '/'}) failed: ${message}`)
  }
}
