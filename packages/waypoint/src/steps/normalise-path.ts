import { normalizePath } from '@ambit/policy'
import { indexHeaders } from '@ambit/route'
import { BAD_PATH } from '../local-reply.ts'
import type { Step } from './step.types.ts'

/** Everything after it judges and sends the one normalised path. */
export const normalisePath: Step = {
  name: 'normalise-path',
  run: (state) => {
    const { head } = state.exchange
    state.header = indexHeaders(head.headers, head.authority)
    if (head.method === 'CONNECT' && head.upgrade === 'CONNECT') {
      state.path = ''
      state.query = ''
      return undefined
    }
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
