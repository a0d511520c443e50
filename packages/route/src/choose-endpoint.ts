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
  /** Uids of the only workloads that are meant: a subset; the same set as long as nothing about it changes. Absent: all. */
  readonly members?: ReadonlySet<string> | undefined
  /** Which of the endpoints are taken out for a while; asked with all that could be drawn. Absent: none. */
  readonly ejected?: ((uids: readonly string[]) => ReadonlySet<string>) | undefined
  /** Absent: the less busy of two. */
  readonly pick?: EndpointPick | undefined
  /** 0 ≤ x < 1. */
  readonly random: () => number
}

export type EndpointPick =
  /** `turn`: one higher with every request. */
  | { readonly kind: 'round-robin'; readonly turn: number }
  | { readonly kind: 'random' }
  /** The same endpoint for equal keys while it is there; an earlier attempt changes nothing. */
  | { readonly kind: 'hash'; readonly key: string }
  | { readonly kind: 'passthrough' }

/** As for any outbound connection, only that a waypoint never goes by way of another waypoint. */
export type EndpointChoice = Direct | NeedsHostname | Passthrough | Refused

/**
 * The less busy of two usable endpoints drawn by capacity, among those the routing preferences leave. Endpoints of earlier attempts are
 * taken again only when there is no other.
 */
export function chooseEndpoint(lookup: WorkloadLookup, request: EndpointRequest): EndpointChoice {
  const { source, service, servicePort, target } = request
  if (service.loadBalancing.mode === 'Passthrough' || request.pick?.kind === 'passthrough') return passthrough(request)
  // A known service never falls back to passthrough.
  if (!service.ports.has(servicePort)) return noUpstream(service, `it has no port ${servicePort}`)
  const chosen = pickOf(drawable(lookup, request), request)
  if (chosen === undefined) return noUpstream(service, `none of its endpoints serves port ${servicePort} and is usable`)
  return resolveWorkload({ ...chosen, asked: target?.ip ?? 4, source, service })
}

function drawable(lookup: WorkloadLookup, request: EndpointRequest): WeightedEndpoints {
  const { source, service, tried, pick, ejected } = request
  const out = ejected?.(firstChoice(lookup, request).uids)
  const avoided = pick?.kind === 'hash' ? NONE : tried
  const isOut = ({ workload: { uid } }: SelectedEndpoint): boolean => out?.has(uid) === true
  if (avoided.size > 0) {
    const fresh = candidates(lookup, request).filter((one) => !avoided.has(one.workload.uid) && !isOut(one))
    const left = new WeightedEndpoints(preferred(fresh, source, service.loadBalancing))
    if (!left.isEmpty) return left
  }
  if (out === undefined || out.size === 0) return firstChoice(lookup, request)
  const inUse = candidates(lookup, request).filter((one) => !isOut(one))
  return new WeightedEndpoints(preferred(inUse, source, service.loadBalancing))
}

const NONE: ReadonlySet<string> = new Set()

function candidates(lookup: WorkloadLookup, request: EndpointRequest): readonly SelectedEndpoint[] {
  const { source, service, servicePort, members } = request
  const portOf = servicePortChoice(service, servicePort)
  const offering = endpointCandidates(lookup, { source, service, servicePort, portOf })
  return offering.filter(
    ({ workload: { network, uid } }) => network === source.network && (members === undefined || members.has(uid)),
  )
}

interface Remembered {
  readonly service: Service
  readonly source: Workload
  /** By the set of workloads that are meant. */
  readonly byMembers: WeakMap<ReadonlySet<string>, Map<number, WeightedEndpoints>>
}

/** Stands for the set of all. */
const EVERYBODY: ReadonlySet<string> = new Set()

/** By the store's list of a service's endpoints, which is another list as soon as anything about them changes. */
const remembered = new WeakMap<readonly Endpoint[], Remembered>()

/** What a first attempt draws from: computed once until the service, its endpoints or the waypoint change. */
function firstChoice(lookup: WorkloadLookup, request: EndpointRequest): WeightedEndpoints {
  const { source, service, servicePort, members = EVERYBODY } = request
  const key = lookup.usableEndpoints(service)
  const held = remembered.get(key)
  const current: Remembered =
    held?.service === service && held.source === source ? held : { service, source, byMembers: new WeakMap() }
  if (current !== held) remembered.set(key, current)
  let byPort = current.byMembers.get(members)
  if (byPort === undefined) current.byMembers.set(members, (byPort = new Map()))
  const known = byPort.get(servicePort)
  if (known !== undefined) return known
  const weighted = new WeightedEndpoints(preferred(candidates(lookup, request), source, service.loadBalancing))
  byPort.set(servicePort, weighted)
  return weighted
}

function pickOf(endpoints: WeightedEndpoints, request: EndpointRequest): SelectedEndpoint | undefined {
  const { pick, random } = request
  switch (pick?.kind) {
    case 'round-robin':
      return endpoints.inTurn(pick.turn, random)
    case 'random':
      return endpoints.drawTwo(random)[0]
    case 'hash':
      return endpoints.byHash(pick.key)
    default:
      return lessBusyOfTwo(endpoints, request)
  }
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
