import type { ResourceInput } from '@ambit/xds'
import { portsOfService, portsOfServiceEntry, serviceDestination, workloadDestination } from '../compile/destination.ts'
import type { KubeService, ServiceEntry } from '../domain.types.ts'
import type { MeshState } from './mesh-state.ts'
import { routesOfService, tcpBackendsOfService } from './routes-of-service.ts'
import { boundWaypoint, rulesInForce } from './rules-in-force.ts'
import { trafficPolicyOf } from './traffic-policies.ts'
import type { Uses } from './uses.types.ts'
import type { WaypointAnswer } from './waypoint-lookup.ts'

/** The service as its waypoint serves it. A headless one is reached by its pods' addresses: never through a waypoint. */
export function destinationsOfService(
  state: MeshState,
  service: KubeService,
  answer: WaypointAnswer | undefined,
  uses: Uses,
): readonly ResourceInput[] {
  if (service.clusterIps.length === 0) return []
  const { namespace, name } = service
  const at = { kind: 'Service', namespace, name, hostnames: [service.hostname] } as const
  return destinations(state, at, portsOfService(service), answer, uses)
}

/** One for each of the hostnames that are the entry's. */
export function destinationsOfServiceEntry(
  state: MeshState,
  entry: ServiceEntry,
  hostnames: readonly string[],
  answer: WaypointAnswer | undefined,
  uses: Uses,
): readonly ResourceInput[] {
  const at = { kind: 'ServiceEntry', namespace: entry.namespace, name: entry.name, hostnames } as const
  return destinations(state, at, portsOfServiceEntry(entry), answer, uses)
}

export function destinationOfWorkload(
  state: MeshState,
  uid: string,
  answer: WaypointAnswer | undefined,
  uses: Uses,
): readonly ResourceInput[] {
  const gateway = boundWaypoint(state, answer, uses)
  if (gateway === undefined) return []
  const waypoint = `${gateway.namespace}/${gateway.name}`
  return [workloadDestination(uid, rulesInForce(state, gateway, undefined, uses), waypoint)]
}

function destinations(
  state: MeshState,
  service: {
    readonly kind: 'Service' | 'ServiceEntry'
    readonly namespace: string
    readonly name: string
    readonly hostnames: readonly string[]
  },
  ports: ReturnType<typeof portsOfService>,
  answer: WaypointAnswer | undefined,
  uses: Uses,
): readonly ResourceInput[] {
  const gateway = boundWaypoint(state, answer, uses)
  if (gateway === undefined) return []
  const rules = rulesInForce(state, gateway, service, uses)
  const waypoint = `${gateway.namespace}/${gateway.name}`
  return service.hostnames.map((hostname) => {
    const routesOf = routesOfService(state, service, gateway, hostname, uses)
    const tcpOf = tcpBackendsOfService(state, service, gateway, hostname, uses)
    const served = ports.map((port) => ({
      ...port,
      routes: routesOf(port.number),
      tcpBackends: tcpOf(port.number),
    }))
    const at = { namespace: service.namespace, hostname }
    const trafficPolicy = trafficPolicyOf(state, at, gateway.namespace, uses)
    return serviceDestination({ ...at, trafficPolicy }, served, rules, waypoint)
  })
}
