import { type JudgedListener, judgeListeners } from '../compile/listener.ts'
import { type Attachment, attachmentOf } from '../compile/route-attachment.ts'
import type { Gateway } from '../domain.types.ts'
import type { MeshRoute, ParentRef } from '../route.types.ts'
import { credentialLookup } from './credentials.ts'
import { namespaceKey, parentKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { partsOf } from './units.ts'
import type { Uses } from './uses.types.ts'

const GATEWAY_GROUP = 'gateway.networking.k8s.io'

/** Whether the parent is that Gateway. */
export function isGatewayParent({ group, kind }: ParentRef): boolean {
  return group === GATEWAY_GROUP && kind === 'Gateway'
}

/** A Gateway's listeners, and the Secrets that were looked for. */
export function judgedListenersOf(
  state: MeshState,
  gateway: Gateway,
  uses: Uses,
): { readonly judged: readonly JudgedListener[]; readonly wanted: ReadonlySet<string> } {
  const wanted = new Set<string>()
  const lookup = credentialLookup(state, gateway, { uses, wants: (name) => wanted.add(name) })
  return { judged: judgeListeners(gateway.listeners, lookup), wanted }
}

export interface AttachedRoute {
  readonly route: MeshRoute
  /** By name of listener: the hosts it takes the route for. */
  readonly hostnames: ReadonlyMap<string, readonly string[]>
}

/** The routes some listener of the Gateway takes, whether or not it is served. */
export function attachedRoutes(state: MeshState, gateway: Gateway, uses: Uses): readonly AttachedRoute[] {
  const key = parentKey('Gateway', gateway.namespace, gateway.name)
  uses(key)
  return [...state.links.routesOfParent.get(key)].flatMap((at): readonly AttachedRoute[] => {
    const { kind, namespace, name } = partsOf(at)
    const route = state[kind === 'httpRoute' ? 'httpRoutes' : 'grpcRoutes'].get(namespace, name)
    if (route === undefined) return []
    const hostnames = new Map<string, readonly string[]>()
    for (const parent of route.parents) {
      if (!isGatewayParent(parent) || parent.namespace !== gateway.namespace || parent.name !== gateway.name) continue
      for (const [listener, attachment] of attachments(state, gateway, parent, route, uses))
        if (attachment.attached)
          hostnames.set(listener, [...new Set([...(hostnames.get(listener) ?? []), ...attachment.hostnames])])
    }
    return hostnames.size === 0 ? [] : [{ route, hostnames }]
  })
}

/** By name of listener, whether it takes the route by that parent. */
export function attachments(
  state: MeshState,
  gateway: Gateway,
  parent: ParentRef,
  route: MeshRoute,
  uses: Uses,
): ReadonlyMap<string, Attachment> {
  uses(namespaceKey(route.namespace))
  const labels = state.namespaces.get(route.namespace)?.labels ?? {}
  return new Map(
    gateway.listeners.map((listener) => [
      listener.name,
      attachmentOf(listener, gateway.namespace, parent, route, labels),
    ]),
  )
}
