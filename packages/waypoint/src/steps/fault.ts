import type { Clock } from '@ambit/core'
import type { Fault } from '@ambit/state'
import { MAX_DELAYED_REQUESTS } from '../limits.ts'
import type { LocalReply } from '../local-reply.ts'
import type { RequestState } from '../request.types.ts'
import type { Step } from './step.types.ts'

const MILLION = 1_000_000

export interface FaultComponents {
  readonly clock: Clock
  readonly random: () => number
}

/** What the route wants to go wrong: a delay, then perhaps an answer in place of the endpoint's. */
export function fault({ clock, random }: FaultComponents): Step {
  let delayed = 0
  return {
    name: 'fault',
    run: (state) => {
      const { fault: wanted } = state.route ?? {}
      if (wanted === undefined) return undefined
      const { delay, abort } = wanted
      const reply = abort !== undefined && random() * MILLION < abort.perMillion ? abortOf(abort) : undefined
      if (delay === undefined || random() * MILLION >= delay.perMillion || delayed >= MAX_DELAYED_REQUESTS) return reply
      delayed++
      state.record.flag('DI')
      return passed(clock, delay.ms, state).then(() => {
        delayed--
        return reply
      })
    },
  }
}

function abortOf({ kind, status }: NonNullable<Fault['abort']>): LocalReply {
  const body = 'fault filter abort'
  const common = { body, flag: 'FI', details: 'fault_filter_abort' } as const
  return kind === 'http' ? { ...common, status } : { ...common, status: 200, grpcStatus: status }
}

/** A client that leaves does not wait. */
async function passed(clock: Clock, ms: number, { exchange }: RequestState): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  using _timer = clock.after(ms, resolve)
  exchange.onGone(resolve)
  if (exchange.isGone) resolve()
  await promise
}
