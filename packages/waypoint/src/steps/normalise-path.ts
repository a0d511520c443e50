import { requestPath } from '@ambit/policy'
import { indexHeaders } from '@ambit/route'
import { BAD_PATH, NO_CONNECT } from '../local-reply.ts'
import type { Step } from './step.types.ts'

/** Everything after it judges and sends the one normalised path. */
export const normalisePath: Step = {
  name: 'normalise-path',
  run: (state) => {
    const { head } = state.exchange
    state.header = indexHeaders(state.headers ?? head.headers, head.authority)
    const verdict = requestPath(head, state.settings.pathNormalization)
    if (verdict.kind === 'refused') return verdict.reason === 'no-connect' ? NO_CONNECT : BAD_PATH
    state.path = verdict.path
    state.query = verdict.query
    return undefined
  },
}
