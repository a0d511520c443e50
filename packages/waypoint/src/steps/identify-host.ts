import type { ListenerTable } from '@ambit/route'
import { isServedStill } from '../gateway/listener-terms.ts'
import { CLUSTER_NOT_FOUND } from '../local-reply.ts'
import type { Step } from './step.types.ts'

/**
 * Which listener and virtual host of a gateway take the request, by the server name of its connection and the host it names. What none
 * takes is judged nevertheless, and has no route.
 */
export function identifyHost(table: () => ListenerTable): Step {
  return {
    name: 'identify-host',
    run: (state) => {
      const { downstream, exchange, settings } = state
      if (downstream.kind !== 'gateway') return CLUSTER_NOT_FOUND
      const { authority } = exchange.head
      const { tls, port } = downstream
      const current = table()
      const listener = isServedStill(current, downstream)
        ? current.find(port, tls === undefined ? authority : (tls.serverName ?? ''))
        : undefined
      const routes = listener === undefined ? [] : current.routes(listener, authority)
      state.target = { kind: 'gateway', destination: settings, listener, routes }
      return undefined
    },
  }
}
