import { chooseBackend, chooseMirrors, matchRoute, redirectOf } from '@ambit/route'
import type { Route, Service } from '@ambit/state'
import { CLUSTER_NOT_FOUND, type LocalReply, NO_ROUTE } from '../local-reply.ts'
import type { RequestState, Upstream } from '../request.types.ts'
import type { Step } from './step.types.ts'

export interface RouteComponents {
  readonly service: (key: string) => Service | undefined
  readonly random: () => number
}

/** Which route takes the request, and to which backend; redirects and refusals are answered here. */
export function route({ service, random }: RouteComponents): Step {
  return {
    name: 'route',
    run: (state) => {
      const { target } = state
      if (target === undefined) return CLUSTER_NOT_FOUND
      if (target.kind === 'workload') {
        const { workload, port } = target
        state.upstream = { to: { kind: 'workload', workload, port }, protocol: 'unknown', backend: undefined }
        return undefined
      }
      const { head } = state.exchange
      const verdict = matchRoute(target.port.routes, {
        method: head.method,
        path: state.path ?? '',
        query: state.query ?? '',
        header: state.header ?? (() => undefined),
      })
      if (verdict.kind === 'not-found') return NO_ROUTE
      if (verdict.kind === 'default') {
        state.record.routeName = 'default'
        state.upstream = {
          to: { kind: 'service', service: target.service, port: target.port.number, isAddressed: true },
          protocol: target.port.protocol,
          backend: undefined,
        }
        return undefined
      }
      state.route = verdict.route
      state.record.routeName = verdict.route.name
      return take(state, verdict.route, target.service, { service, random })
    },
  }
}

function take(
  state: RequestState,
  { action, match, mirrors }: Route,
  addressed: Service,
  { service, random }: RouteComponents,
): LocalReply | undefined {
  switch (action.kind) {
    case 'fixed-status':
      return { status: action.status, body: '', details: 'direct_response' }
    case 'redirect': {
      const { head } = state.exchange
      const answer = redirectOf(action.redirect, match.path, {
        scheme: state.header?.('x-forwarded-proto') === 'https' ? 'https' : 'http',
        authority: head.authority,
        port: state.tunnel.destinationPort,
        path: state.path ?? '',
        query: state.query ?? '',
      })
      if (answer === undefined) return { status: 400, body: '', details: 'redirect_without_host' }
      return { status: answer.status, body: '', details: 'direct_response', headers: ['location', answer.location] }
    }
    case 'forward': {
      const choice = chooseBackend(action.backends, random)
      if (choice.kind === 'failed') return { status: 500, body: '', details: 'direct_response' }
      const { backend } = choice
      const found = service(backend.service)
      if (found === undefined) return CLUSTER_NOT_FOUND
      state.mirrors = chooseMirrors(mirrors, random)
      state.upstream = upstreamOf(found, backend, addressed)
      state.record.service = found
      return undefined
    }
  }
}

function upstreamOf(service: Service, backend: NonNullable<Upstream['backend']>, addressed: Service): Upstream {
  const isAddressed = service === addressed
  return { to: { kind: 'service', service, port: backend.port, isAddressed }, protocol: backend.protocol, backend }
}
