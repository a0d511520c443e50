import type { LoadBalancing, RoutingScope, Service, Workload } from './workload.types.ts'
import type { WorkloadLookup } from './workload-store.ts'

/** The endpoint a connection goes to, and the port the application listens on there. */
export interface SelectedEndpoint {
  readonly workload: Workload
  readonly port: number
}

/** Finds the target port for a service port on an endpoint; undefined when the endpoint does not offer it. */
export type PortChoice = (endpointPort: number | undefined, workload: Workload) => number | undefined

export interface SelectOptions {
  readonly source: Workload
  readonly service: Service
  readonly servicePort: number
  readonly random: () => number
  readonly portOf: PortChoice
}

/**
 * Chooses among the service's usable endpoints: those that offer the port and can be reached, narrowed by the routing
 * preferences, then drawn by capacity.
 */
export function selectEndpoint(lookup: WorkloadLookup, options: SelectOptions): SelectedEndpoint | undefined {
  const { source, service } = options
  return drawByCapacity(preferred(endpointCandidates(lookup, options), source, service.loadBalancing), options.random)
}

/** The service's usable endpoints that offer the port and can be reached. */
export function endpointCandidates(
  lookup: WorkloadLookup,
  { source, service, servicePort, portOf }: Omit<SelectOptions, 'random'>,
): readonly SelectedEndpoint[] {
  const candidates: SelectedEndpoint[] = []
  for (const endpoint of lookup.usableEndpoints(service)) {
    const workload = lookup.workload(endpoint.workloadUid)
    if (workload === undefined || !isReachable(workload, source)) continue
    const port = portOf(endpoint.ports.get(servicePort), workload)
    if (port !== undefined) candidates.push({ workload, port })
  }
  return candidates
}

/** A workload with neither address nor name can only be reached through its network's gateway. */
function isReachable(workload: Workload, source: Workload): boolean {
  if (workload.ips.length > 0 || workload.hostname !== '') return true
  return workload.network !== source.network && workload.networkGateway !== undefined
}

/** Those of the candidates that the routing preferences leave. */
export function preferred(
  candidates: readonly SelectedEndpoint[],
  source: Workload,
  { mode, routingPreferences }: LoadBalancing,
): readonly SelectedEndpoint[] {
  if (mode === 'Strict') {
    return candidates.filter(({ workload }) => routingPreferences.every((scope) => sameScope(scope, source, workload)))
  }
  if (mode !== 'Failover' || routingPreferences.length === 0) return candidates
  const ranks = candidates.map(({ workload }) => failoverRank(routingPreferences, source, workload))
  const best = ranks.reduce((a, b) => Math.max(a, b), 0)
  return candidates.filter((_, index) => ranks[index] === best)
}

/**
 * How many leading preferences match in sequence. A leading Network is a preference, not a requirement: an endpoint
 * elsewhere skips it and may score on the rest, one here outranks all of those by a bonus.
 */
function failoverRank(preferences: readonly RoutingScope[], source: Workload, workload: Workload): number {
  let rank = 0
  for (const [index, scope] of preferences.entries()) {
    const matches = sameScope(scope, source, workload)
    if (index === 0 && scope === 'Network') {
      if (matches) rank += 1 + (preferences.length - 1)
      continue
    }
    if (!matches) break
    rank++
  }
  return rank
}

function sameScope(scope: RoutingScope, a: Workload, b: Workload): boolean {
  switch (scope) {
    case 'Network':
      return a.network === b.network
    case 'Region':
      return a.locality.region === b.locality.region
    case 'Zone':
      return a.locality.zone === b.locality.zone
    case 'Subzone':
      return a.locality.subzone === b.locality.subzone
    case 'Node':
      return a.node === b.node
    case 'Cluster':
      return a.clusterId === b.clusterId
  }
}

function drawByCapacity(candidates: readonly SelectedEndpoint[], random: () => number): SelectedEndpoint | undefined {
  const total = candidates.reduce((sum, { workload }) => sum + workload.capacity, 0)
  if (total === 0) return undefined
  let ticket = random() * total
  for (const candidate of candidates) {
    ticket -= candidate.workload.capacity
    if (ticket < 0) return candidate
  }
  return undefined
}

/** Port rule of ordinary services: the endpoint's own mapping, else the service's; a named port (0) needs the former. */
export function servicePortChoice(service: Service, servicePort: number): PortChoice {
  const onService = service.ports.get(servicePort)
  return (own) => (own !== undefined && own !== 0 ? own : onService || undefined)
}
