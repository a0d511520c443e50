import type { waypointpb } from '@ambit/api'
import { type Backend, type CompiledRoute, compileRoute } from '../compile/route.ts'
import { byPrecedence } from '../compile/route-precedence.ts'
import { compileVirtualService, tcpBackendsOf } from '../compile/virtual-service.ts'
import type { Gateway } from '../domain.types.ts'
import type { MeshRoute, ParentRef } from '../route.types.ts'
import { MESH_GATEWAY, type VirtualService } from '../virtual-service.types.ts'
import { resolveBackend } from './backend-lookup.ts'
import { parentKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { withTrafficPolicy } from './traffic-policies.ts'
import { partsOf } from './units.ts'
import type { Uses } from './uses.types.ts'
import { resolveDestination, virtualServicesOfHost } from './virtual-services.ts'

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

/**
 * Answers for a port its routes in order; undefined when none is attached there. HTTPRoutes and GRPCRoutes are one table in Gateway API's
 * order, VirtualServices one table each; the older tables stand before the younger (Istio).
 */
export function routesOfService(
  state: MeshState,
  service: ServiceName,
  waypoint: Gateway,
  hostname: string,
  uses: Uses,
): (port: number) => readonly waypointpb.Route[] | undefined {
  const attached = attachedRoutes(state, service, waypoint, uses)
  const virtual = virtualServicesOfHost(state, hostname, waypoint.namespace, uses).filter((one) =>
    isHonoured(one, service, waypoint),
  )
  return (port) => {
    const tables = virtual.map((one) => ({
      createdMs: one.createdMs,
      routes: routesOf(state, one, waypoint, port, uses),
    }))
    const here = attached(port)
    const all = [...(here === undefined ? [] : [here]), ...tables.filter(({ routes }) => routes.length > 0)]
    if (all.length === 0) return undefined
    return all.sort((a, b) => a.createdMs - b.createdMs).flatMap(({ routes }) => routes)
  }
}

function routesOf(
  state: MeshState,
  service: VirtualService,
  { namespace: client }: Gateway,
  port: number,
  uses: Uses,
): readonly waypointpb.Route[] {
  const at = { gateway: MESH_GATEWAY, port }
  return compileVirtualService(service, at, (ref) => resolveDestination(state, ref, { client, port }, uses))
}

/** Where the service's connections that are no HTTP go; undefined when no VirtualService says. */
export function tcpBackendsOfService(
  state: MeshState,
  service: ServiceName,
  waypoint: Gateway,
  hostname: string,
  uses: Uses,
): (port: number) => readonly Backend[] | undefined {
  const virtual = virtualServicesOfHost(state, hostname, waypoint.namespace, uses).filter((one) =>
    isHonoured(one, service, waypoint),
  )
  return (port) => {
    const at = { gateway: MESH_GATEWAY, port, host: hostname }
    for (const one of virtual) {
      const found = tcpBackendsOf(one, at, (ref) =>
        resolveDestination(state, ref, { client: waypoint.namespace, port }, uses),
      )
      if (found !== undefined) return found
    }
    return undefined
  }
}

interface Table {
  /** Of the oldest. */
  readonly createdMs: number
  readonly routes: readonly waypointpb.Route[]
}

function attachedRoutes(
  state: MeshState,
  service: ServiceName,
  waypoint: Gateway,
  uses: Uses,
): (port: number) => Table | undefined {
  const key = parentKey(service.kind, service.namespace, service.name)
  uses(key)
  const attached: {
    readonly parents: readonly ParentRef[]
    readonly compiled: readonly CompiledRoute[]
    readonly createdMs: number
  }[] = []
  for (const at of state.links.routesOfParent.get(key)) {
    const { kind, namespace, name } = partsOf(at)
    const route = state[kind === 'httpRoute' ? 'httpRoutes' : 'grpcRoutes'].get(namespace, name)
    const parents = route?.parents.filter((parent) => isParent(parent, service)) ?? []
    if (route === undefined || parents.length === 0 || !isHonoured(route, service, waypoint)) continue
    const compiled = compileRoute(route, (ref) =>
      withTrafficPolicy(state, resolveBackend(state, route, ref, uses), waypoint.namespace, uses),
    )
    // Without any rule it routes nothing (Istio); only a rule without matches matches everything.
    if (compiled.length > 0) attached.push({ parents, compiled, createdMs: route.createdMs })
  }
  return (port) => {
    const here = attached.filter(({ parents }) => parents.some((parent) => (parent.port ?? port) === port))
    if (here.length === 0) return undefined
    const routes = here
      .flatMap(({ compiled }) => compiled)
      .sort(byPrecedence)
      .map(({ message }) => message)
    return { createdMs: Math.min(...here.map(({ createdMs }) => createdMs)), routes }
  }
}
