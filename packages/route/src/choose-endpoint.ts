import type { SocketAddress } from '@ambit/core'
import {
  type Direct,
  endpointCandidates,
  type NeedsHostname,
  type Passthrough,
  preferred,
  type Refused,
  resolveWorkload,
  type SelectedEndpoint,
  type Service,
  servicePortChoice,
  type Workload,
  type WorkloadLookup,
} from '@ambit/state'
import { drawByWeight } from './draw-by-weight.ts'

export interface EndpointRequest {
  /** The waypoint's own workload: what localities and networks are compared with. */
  readonly source: Workload
  readonly service: Service
  readonly servicePort: number
  /** The address the client was going to; absent when it gave a name. */
  readonly target?: SocketAddress | undefined
  /** Whether the client addressed this service itself, and no route leads elsewhere. */
  readonly isAddressed: boolean
  /** Requests that now wait for an answer of the workload. */
  readonly activeRequests: (uid: string) => number
  /** Uids of workloads that earlier attempts of the request went to. */
  readonly tried: ReadonlySet<string>
  /** 0 ≤ x < 1. */
  readonly random: () => number
}

/** As for any outbound connection, only that a waypoint never goes by way of another waypoint. */
export type EndpointChoice = Direct | NeedsHostname | Passthrough | Refused

/**
 * The less busy of two usable endpoints drawn by capacity, among those the routing preferences leave. Endpoints of earlier attempts are
 * taken again only when there is no other.
 */
export function chooseEndpoint(lookup: WorkloadLookup, request: EndpointRequest): EndpointChoice {
  const { source, service, servicePort, target } = request
  if (service.loadBalancing.mode === 'Passthrough') return passthrough(request)
  // A service of an address the port is not of, or whose endpoints are elsewhere, never falls back to passthrough.
  if (!service.ports.has(servicePort)) return noUpstream(service, `it has no port ${servicePort}`)
  const portOf = servicePortChoice(service, servicePort)
  const near = endpointCandidates(lookup, { source, service, servicePort, portOf }).filter(
    ({ workload }) => workload.network === source.network,
  )
  const fresh = request.tried.size === 0 ? near : near.filter(({ workload }) => !request.tried.has(workload.uid))
  const first = preferred(fresh, source, service.loadBalancing)
  const chosen = lessBusyOfTwo(first.length > 0 ? first : preferred(near, source, service.loadBalancing), request)
  if (chosen === undefined) return noUpstream(service, `none of its endpoints serves port ${servicePort} and is usable`)
  return resolveWorkload({ ...chosen, asked: target?.ip ?? 4, source, service })
}

function lessBusyOfTwo(
  endpoints: readonly SelectedEndpoint[],
  { activeRequests, random }: EndpointRequest,
): SelectedEndpoint | undefined {
  const first = drawByWeight(endpoints, capacityOf, random)
  if (first === undefined || endpoints.length < 2) return first
  const second = drawByWeight(endpoints, (endpoint) => (endpoint === first ? 0 : capacityOf(endpoint)), random)
  if (second === undefined) return first
  const load = ({ workload }: SelectedEndpoint): number => activeRequests(workload.uid) / workload.capacity
  return load(second) < load(first) ? second : first
}

function capacityOf({ workload }: SelectedEndpoint): number {
  return workload.capacity
}

/** Of a service without endpoints of its own the client says where it is. */
function passthrough({ service, target, isAddressed }: EndpointRequest): Passthrough | Refused {
  if (target !== undefined && isAddressed) return { kind: 'passthrough', to: target, service }
  return noUpstream(service, 'its clients say the address, and here none did')
}

function noUpstream(service: Service, cause: string): Refused {
  const message = `no healthy upstream: ${service.namespace}/${service.hostname}: ${cause}`
  return { kind: 'refused', reason: 'no-healthy-upstream', message, service }
}
