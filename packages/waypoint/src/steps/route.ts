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
      if (target.kind === 'gateway') {
        if (target.listener === undefined) return NO_ROUTE
        if (target.listener.httpsRedirect && schemeOf(state) === 'http') return toHttps(state)
      }
      const { head } = state.exchange
      const verdict = matchRoute(target.kind === 'gateway' ? target.routes : target.port.routes, {
        method: head.method,
        path: state.path ?? '',
        query: state.query ?? '',
        header: state.header ?? (() => undefined),
      })
      if (verdict.kind === 'not-found') return NO_ROUTE
      const addressed = target.kind === 'gateway' ? undefined : target
      if (verdict.kind === 'default') {
        if (addressed === undefined) return NO_ROUTE
        state.record.routeName = 'default'
        state.upstream = {
          to: { kind: 'service', service: addressed.service, port: addressed.port.number, isAddressed: true },
          protocol: addressed.port.protocol,
          backend: undefined,
        }
        return undefined
      }
      state.route = verdict.route
      state.record.routeName = verdict.route.name
      return take(state, verdict.route, addressed?.service, { service, random })
    },
  }
}

function take(
  state: RequestState,
  { action, match, mirrors }: Route,
  addressed: Service | undefined,
  { service, random }: RouteComponents,
): LocalReply | undefined {
  switch (action.kind) {
    case 'fixed-status':
      return { status: action.status, body: '', details: 'direct_response' }
    case 'redirect': {
      const { head } = state.exchange
      const answer = redirectOf(action.redirect, match.path, {
        scheme: schemeOf(state),
        authority: head.authority,
        port: addressedPort(state),
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

function schemeOf({ header }: RequestState): 'http' | 'https' {
  return header?.('x-forwarded-proto') === 'https' ? 'https' : 'http'
}

/** As the client wrote it: what a gateway listens at in its pod is nobody's port. */
function addressedPort(state: RequestState): number {
  const { downstream, exchange } = state
  if (downstream.kind === 'tunnel') return downstream.destinationPort
  const [, port] = /:(\d{1,5})$/.exec(exchange.head.authority) ?? []
  return port === undefined ? WELL_KNOWN[schemeOf(state)] : Number(port)
}

const WELL_KNOWN = { http: 80, https: 443 } as const

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

function upstreamOf(
  service: Service,
  backend: NonNullable<Upstream['backend']>,
  addressed: Service | undefined,
): Upstream {
  const isAddressed = service === addressed
  return { to: { kind: 'service', service, port: backend.port, isAddressed }, protocol: backend.protocol, backend }
}
