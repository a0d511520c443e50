import { chooseBackend, chooseMirrors, redirectOf } from '@ambit/route'
import type { Route, Service } from '@ambit/state'
import { CLUSTER_NOT_FOUND, type LocalReply } from '../local-reply.ts'
import type { RequestState, Upstream } from '../request.types.ts'
import { schemeOf, WELL_KNOWN } from './scheme.ts'
import type { Step } from './step.types.ts'

export interface ActComponents {
  readonly service: (key: string) => Service | undefined
  readonly random: () => number
}

/** What the route does with the request: a backend is chosen; redirects and answers of its own are given here. */
export function act(components: ActComponents): Step {
  return {
    name: 'act',
    run: (state) => {
      const { route, target } = state
      if (route === undefined) return undefined
      return take(state, route, target?.kind === 'service' ? target.service : undefined, components)
    },
  }
}

function take(
  state: RequestState,
  { action, match, mirrors }: Route,
  addressed: Service | undefined,
  { service, random }: ActComponents,
): LocalReply | undefined {
  switch (action.kind) {
    case 'fixed-status':
      return { status: action.status, body: action.body ?? '', details: 'direct_response' }
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
      state.record.servicePort = backend.port
      return undefined
    }
  }
}

/** As the client wrote it: what a gateway listens at in its pod is nobody's port. */
function addressedPort(state: RequestState): number {
  const { downstream, exchange } = state
  if (downstream.kind === 'tunnel') return downstream.destinationPort
  const [, port] = /:(\d{1,5})$/.exec(exchange.head.authority) ?? []
  return port === undefined ? WELL_KNOWN[schemeOf(state)] : Number(port)
}

function upstreamOf(
  service: Service,
  backend: NonNullable<Upstream['backend']>,
  addressed: Service | undefined,
): Upstream {
  const isAddressed = service === addressed
  const to = { kind: 'service', service, port: backend.port, isAddressed } as const
  return { to, protocol: backend.protocol, backend, rules: backend }
}
