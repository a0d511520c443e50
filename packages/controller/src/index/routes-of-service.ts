import type { waypointpb } from '@ambit/api'
import { type CompiledRoute, compileRoute } from '../compile/route.ts'
import { byPrecedence } from '../compile/route-precedence.ts'
import type { Gateway } from '../domain.types.ts'
import type { MeshRoute, ParentRef } from '../route.types.ts'
import { resolveBackend } from './backend-lookup.ts'
import { parentKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { partsOf } from './units.ts'
import type { Uses } from './uses.types.ts'

export interface ServiceName {
  readonly kind: 'Service' | 'ServiceEntry'
  readonly namespace: string
  readonly name: string
}

const GROUPS = { Service: '', ServiceEntry: 'networking.istio.io' } as const

/** Whether the parent is that Service or ServiceEntry. */
export function isParent({ group, kind, namespace, name }: ParentRef, service: ServiceName): boolean {
  const sameGroup = group === GROUPS[service.kind] || (service.kind === 'Service' && group === 'core')
  return sameGroup && kind === service.kind && namespace === service.namespace && name === service.name
}

/** Routes of a client's namespace are not for waypoints: only the service's own, and its waypoint's. */
export function isHonoured(route: Pick<MeshRoute, 'namespace'>, service: ServiceName, waypoint: Gateway): boolean {
  return route.namespace === service.namespace || route.namespace === waypoint.namespace
}

/** Answers for a port its routes in order; undefined when none is attached there. */
export function routesOfService(
  state: MeshState,
  service: ServiceName,
  waypoint: Gateway,
  uses: Uses,
): (port: number) => readonly waypointpb.Route[] | undefined {
  const key = parentKey(service.kind, service.namespace, service.name)
  uses(key)
  const attached: { readonly parents: readonly ParentRef[]; readonly compiled: readonly CompiledRoute[] }[] = []
  for (const at of state.links.routesOfParent.get(key)) {
    const { kind, namespace, name } = partsOf(at)
    const route = state[kind === 'httpRoute' ? 'httpRoutes' : 'grpcRoutes'].get(namespace, name)
    const parents = route?.parents.filter((parent) => isParent(parent, service)) ?? []
    if (route === undefined || parents.length === 0 || !isHonoured(route, service, waypoint)) continue
    const compiled = compileRoute(route, (ref) => resolveBackend(state, route, ref, uses))
    // Without any rule it routes nothing (Istio); only a rule without matches matches everything.
    if (compiled.length > 0) attached.push({ parents, compiled })
  }
  return (port) => {
    const here = attached.filter(({ parents }) => parents.some((parent) => (parent.port ?? port) === port))
    if (here.length === 0) return undefined
    return here
      .flatMap(({ compiled }) => compiled)
      .sort(byPrecedence)
      .map(({ message }) => message)
  }
}
