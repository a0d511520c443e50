import { allowsOrigin, isPreflight } from '@ambit/route'
import type { Cors } from '@ambit/state'
import type { RequestState } from '../request.types.ts'
import type { Step } from './step.types.ts'

const ALLOW_ORIGIN = 'access-control-allow-origin'

/** Answers preflights in place of the endpoint, and lets browsers read answers to origins that are allowed (Envoy). */
export const cors: Step = {
  name: 'cors',
  run: (state) => {
    const { cors: policy } = state.route ?? {}
    const origin = state.header?.('origin')
    if (policy === undefined || origin === undefined || origin === '') return undefined
    const preflight = isPreflight(state.exchange.head.method, state.header?.('access-control-request-method'))
    if (!allowsOrigin(policy, origin))
      return preflight && policy.answerAllPreflights ? { status: 200, body: '', details: 'cors_preflight' } : undefined
    if (preflight)
      return { status: 200, body: '', details: 'cors_preflight', headers: preflightHeaders(policy, origin) }
    addAnswerHeaders(state, policy, origin)
    return undefined
  },
}

function preflightHeaders(policy: Cors, origin: string): readonly string[] {
  const { allowMethods, allowHeaders, maxAgeSeconds } = policy
  return [
    ...[ALLOW_ORIGIN, origin],
    ...credentials(policy),
    ...listed('access-control-allow-methods', allowMethods),
    ...listed('access-control-allow-headers', allowHeaders),
    ...(maxAgeSeconds === undefined ? [] : ['access-control-max-age', String(maxAgeSeconds)]),
  ]
}

function addAnswerHeaders(state: RequestState, policy: Cors, origin: string): void {
  state.answerHeaders = [
    ...(state.answerHeaders ?? []),
    ...[ALLOW_ORIGIN, origin],
    ...credentials(policy),
    ...listed('access-control-expose-headers', policy.exposeHeaders),
  ]
}

function credentials({ allowCredentials }: Cors): readonly string[] {
  return allowCredentials ? ['access-control-allow-credentials', 'true'] : []
}

function listed(name: string, values: readonly string[]): readonly string[] {
  return values.length === 0 ? [] : [name, values.join(',')]
}
