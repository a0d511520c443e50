import { normalizePath } from '@ambit/policy'
import { indexHeaders } from '@ambit/route'
import { BAD_PATH, NO_CONNECT } from '../local-reply.ts'
import type { Step } from './step.types.ts'

/** Everything after it judges and sends the one normalised path. */
export const normalisePath: Step = {
  name: 'normalise-path',
  run: (state) => {
    const { head } = state.exchange
    state.header = indexHeaders(state.headers ?? head.headers, head.authority)
    // An endpoint that answers it like any request goes on with the next one, which nobody here would see.
    if (head.method === 'CONNECT') return NO_CONNECT
    const normalized = normalizePath(head.target, state.settings.pathNormalization)
    if (normalized.kind === 'refused') return BAD_PATH
    if (normalized.kind === 'other') {
      if (normalized.form !== 'asterisk' || head.method !== 'OPTIONS') return BAD_PATH
      state.path = '*'
      state.query = ''
      return undefined
    }
    state.path = normalized.path
    state.query = normalized.target.slice(normalized.path.length + 1)
    return undefined
  },
}
