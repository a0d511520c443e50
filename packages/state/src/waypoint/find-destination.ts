import type { Ip } from '@ambit/core'
import { type Service, serviceKey, type Workload } from '../workload.types.ts'
import type { DestinationPort, ServiceDestination, WorkloadDestination } from './destination.types.ts'

/** What a CONNECT asks for. */
export type DestinationAuthority =
  | { readonly kind: 'address'; readonly ip: Ip; readonly port: number }
  | { readonly kind: 'hostname'; readonly hostname: string; readonly port: number }

export type DestinationVerdict =
  | {
      readonly kind: 'service'
      readonly destination: ServiceDestination
      readonly service: Service
      readonly port: DestinationPort
    }
  | {
      readonly kind: 'workload'
      readonly destination: WorkloadDestination
      readonly workload: Workload
      readonly port: number
    }
  | DestinationUnknown

/** `unbound`: nothing of that address or name is bound to this waypoint. `no-port`: the service has no such port. */
export interface DestinationUnknown {
  readonly kind: 'none'
  readonly reason: 'unbound' | 'no-port'
  readonly message: string
}

/** Services and workloads by what a client may call them. */
export interface AddressLookup {
  service(key: string): Service | undefined
  servicesByVip(network: string, ip: Ip): readonly Service[]
  servicesByHostname(hostname: string): readonly Service[]
  workloadByIp(network: string, ip: Ip): Workload | undefined
}

export interface DestinationLookup {
  service(key: string): ServiceDestination | undefined
  workload(uid: string): WorkloadDestination | undefined
}

export interface FindDestinationOptions {
  readonly network: string
  /** Of the waypoint: its services win among several of one address or name. */
  readonly namespace: string
}

/**
 * Which destination a tunnel is for, by its authority alone: a service bound here that has the address or name, else the workload bound
 * here that has the address. Hosts that requests name play no part.
 */
export function findDestination(
  addresses: AddressLookup,
  destinations: DestinationLookup,
  authority: DestinationAuthority,
  { network, namespace }: FindDestinationOptions,
): DestinationVerdict {
  const { port } = authority
  const services =
    authority.kind === 'address'
      ? addresses.servicesByVip(network, authority.ip)
      : addresses.servicesByHostname(authority.hostname)
  const bound = services
    .map((service) => ({ service, destination: destinations.service(serviceKey(service)) }))
    .filter((found): found is BoundService => found.destination !== undefined)
    .toSorted((a, b) => rank(b, namespace) - rank(a, namespace) || compareText(a.destination.key, b.destination.key))
  const [first] = bound
  if (first !== undefined) {
    const serving = bound.find(({ destination }) => destination.ports.has(port)) ?? first
    const found = serving.destination.ports.get(port)
    if (found === undefined) return none('no-port', `${first.destination.key} has no port ${port}`)
    return { kind: 'service', ...serving, port: found }
  }
  const workload = authority.kind === 'address' ? addresses.workloadByIp(network, authority.ip) : undefined
  const destination = workload && destinations.workload(workload.uid)
  if (workload === undefined || destination === undefined) {
    return none('unbound', 'neither a service nor a workload of that address is bound to this waypoint')
  }
  return { kind: 'workload', destination, workload, port }
}

interface BoundService {
  readonly service: Service
  readonly destination: ServiceDestination
}

function rank({ service }: BoundService, namespace: string): number {
  return Number(service.namespace === namespace) * 2 + Number(service.canonical)
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function none(reason: DestinationUnknown['reason'], message: string): DestinationUnknown {
  return { kind: 'none', reason, message }
}
