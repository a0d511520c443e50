import { matchRoute, redirectOf } from '@ambit/route'
import { CLUSTER_NOT_FOUND, type LocalReply, NO_ROUTE } from '../local-reply.ts'
import type { RequestState } from '../request.types.ts'
import { schemeOf, WELL_KNOWN } from './scheme.ts'
import type { Step } from './step.types.ts'

/** Which route takes the request; without any it goes to what was addressed. */
export const route: Step = {
  name: 'route',
  run: (state) => {
    const { target } = state
    if (target === undefined) return CLUSTER_NOT_FOUND
    if (target.kind === 'workload') {
      const { workload, port } = target
      state.upstream = { to: { kind: 'workload', workload, port }, protocol: 'unknown', backend: undefined }
      return undefined
    }
    if (target.kind === 'gateway') {
      if (target.listener === undefined) return NO_ROUTE
      if (target.listener.httpsRedirect && schemeOf(state) === 'http') return toHttps(state)
    }
    const verdict = matchRoute(target.kind === 'gateway' ? target.routes : target.port.routes, {
      method: state.exchange.head.method,
      path: state.path ?? '',
      query: state.query ?? '',
      scheme: schemeOf(state),
      sourceNamespace: state.downstream.peer?.namespace,
      header: state.header ?? (() => undefined),
    })
    if (verdict.kind === 'not-found') return NO_ROUTE
    if (verdict.kind === 'matched') {
      state.route = verdict.route
      state.record.routeName = verdict.route.name
      return undefined
    }
    if (target.kind === 'gateway') return NO_ROUTE
    const { service, port, destination } = target
    state.record.routeName = 'default'
    state.upstream = {
      to: { kind: 'service', service, port: port.number, isAddressed: true },
      protocol: port.protocol,
      backend: undefined,
      rules: { trafficPolicy: destination.trafficPolicy, subset: '' },
    }
    return undefined
  },
}

/** The same URL by https, at its own port: that of plain HTTP would be answered by none. */
function toHttps(state: RequestState): LocalReply {
  const redirect = {
    scheme: 'https',
    hostname: undefined,
    port: WELL_KNOWN.https,
    path: undefined,
    status: 301,
    keepsWrittenPort: false,
  }
  const { authority } = state.exchange.head
  const { path = '/', query = '' } = state
  const answer = redirectOf(redirect, undefined, { scheme: 'http', authority, port: WELL_KNOWN.http, path, query })
  if (answer === undefined) return { status: 400, body: '', details: 'redirect_without_host' }
  return { status: answer.status, body: '', details: 'direct_response', headers: ['location', answer.location] }
}
