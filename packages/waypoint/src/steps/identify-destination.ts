import { CLUSTER_NOT_FOUND } from '../local-reply.ts'
import type { TunnelFacts, TunnelTarget } from '../request.types.ts'
import type { Step } from './step.types.ts'

/** The destination of the tunnel as the control plane describes it now: it may have changed since the tunnel was opened. */
export function identifyDestination(find: (tunnel: TunnelFacts) => TunnelTarget | undefined): Step {
  return {
    name: 'identify-destination',
    run: (state) => {
      const { downstream } = state
      const target = downstream.kind === 'tunnel' ? find(downstream) : undefined
      if (target === undefined) return CLUSTER_NOT_FOUND
      state.target = target
      if (target.kind === 'service') state.record.service = state.record.addressed = target.service
      return undefined
    },
  }
}
