import type { SocketAddress } from '@ambit/core'
import {
  type Direct,
  type Endpoint,
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
import { WeightedEndpoints } from './weighted-endpoints.ts'

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
  // A known service never falls back to passthrough.
  if (!service.ports.has(servicePort)) return noUpstream(service, `it has no port ${servicePort}`)
  const chosen = lessBusyOfTwo(drawable(lookup, request), request)
  if (chosen === undefined) return noUpstream(service, `none of its endpoints serves port ${servicePort} and is usable`)
  return resolveWorkload({ ...chosen, asked: target?.ip ?? 4, source, service })
}

function drawable(lookup: WorkloadLookup, request: EndpointRequest): WeightedEndpoints {
  const { source, service, tried } = request
  if (tried.size > 0) {
    const fresh = candidates(lookup, request).filter(({ workload }) => !tried.has(workload.uid))
    const left = new WeightedEndpoints(preferred(fresh, source, service.loadBalancing))
    if (!left.isEmpty) return left
  }
  return firstChoice(lookup, request)
}

function candidates(lookup: WorkloadLookup, request: EndpointRequest): readonly SelectedEndpoint[] {
  const { source, service, servicePort } = request
  const portOf = servicePortChoice(service, servicePort)
  const offering = endpointCandidates(lookup, { source, service, servicePort, portOf })
  return offering.filter(({ workload }) => workload.network === source.network)
}

interface Remembered {
  readonly service: Service
  readonly source: Workload
  readonly byPort: Map<number, WeightedEndpoints>
}

/** By the store's list of a service's endpoints, which is another list as soon as anything about them changes. */
const remembered = new WeakMap<readonly Endpoint[], Remembered>()

/** What a first attempt draws from: computed once until the service, its endpoints or the waypoint change. */
function firstChoice(lookup: WorkloadLookup, request: EndpointRequest): WeightedEndpoints {
  const { source, service, servicePort } = request
  const key = lookup.usableEndpoints(service)
  const held = remembered.get(key)
  const current = held?.service === service && held.source === source ? held : { service, source, byPort: new Map() }
  if (current !== held) remembered.set(key, current)
  const known = current.byPort.get(servicePort)
  if (known !== undefined) return known
  const weighted = new WeightedEndpoints(preferred(candidates(lookup, request), source, service.loadBalancing))
  current.byPort.set(servicePort, weighted)
  return weighted
}

/** Of equally busy ones the first, so that capacities are shares of idle endpoints too. */
function lessBusyOfTwo(
  endpoints: WeightedEndpoints,
  { activeRequests, random }: EndpointRequest,
): SelectedEndpoint | undefined {
  const [first, second] = endpoints.drawTwo(random)
  if (first === undefined || second === undefined) return first
  const load = ({ workload }: SelectedEndpoint): number => activeRequests(workload.uid) / workload.capacity
  return load(second) < load(first) ? second : first
}

/** Of a service without endpoints of its own the client says where it is. */
function passthrough({ service, servicePort, target, isAddressed }: EndpointRequest): Passthrough | Refused {
  if (target !== undefined && isAddressed) {
    return { kind: 'passthrough', to: { ip: target.ip, port: servicePort }, service }
  }
  return noUpstream(service, 'its clients say the address, and here none did')
}

function noUpstream(service: Service, cause: string): Refused {
  const message = `no healthy upstream: ${service.namespace}/${service.hostname}: ${cause}`
  return { kind: 'refused', reason: 'no-healthy-upstream', message, service }
}
