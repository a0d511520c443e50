import type { LocalReply } from './local-reply.ts'
import type { RequestState } from './request.types.ts'
import { sendLocalReply } from './respond.ts'
import type { Step } from './steps/step.types.ts'

/** What a request goes through, in this order; the last of all is to forward it. */
export interface PipelineSteps {
  readonly edgeHeaders: Step
  readonly identifyDestination: Step
  readonly normalisePath: Step
  readonly customAuthorization: Step
  readonly authenticate: Step
  readonly authorize: Step
  readonly route: Step
  readonly fault: Step
  readonly cors: Step
  readonly act: Step
  readonly treat: Step
  readonly requestFilters: Step
}

/** Resolves when the request is over, however it ended. */
export type Pipeline = (state: RequestState) => Promise<void>

export function pipeline(steps: PipelineSteps, forward: (state: RequestState) => Promise<void>): Pipeline {
  const ordered: readonly Step[] = [
    steps.edgeHeaders,
    steps.identifyDestination,
    steps.normalisePath,
    steps.customAuthorization,
    steps.authenticate,
    steps.authorize,
    steps.route,
    steps.fault,
    steps.cors,
    steps.act,
    steps.treat,
    steps.requestFilters,
  ]
  /** A request that had to wait: what let it in then may not do so now. */
  const judgedAgain = async (state: RequestState): Promise<LocalReply | undefined> => {
    for (const step of [steps.identifyDestination, steps.customAuthorization, steps.authenticate, steps.authorize]) {
      const reply = await step.run(state)
      if (reply !== undefined) return reply
    }
    return undefined
  }
  return async (state) => {
    for (const step of ordered) {
      const outcome = step.run(state)
      const reply = outcome instanceof Promise ? ((await outcome) ?? (await judgedAgain(state))) : outcome
      if (reply !== undefined) {
        sendLocalReply(state, reply)
        return
      }
    }
    await forward(state)
  }
}
