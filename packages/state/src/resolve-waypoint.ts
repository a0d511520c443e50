import { type Ip, ipFamily, type SocketAddress, type SpiffeId } from '@ambit/core'
import type { RefusalReason } from './resolution.types.ts'
import { selectAddress } from './select-address.ts'
import { type PortChoice, selectEndpoint } from './select-endpoint.ts'
import type { GatewayAddress, Service, Workload } from './workload.types.ts'
import type { WorkloadLookup } from './workload-store.ts'

/** What a waypoint reference stands for. */
export type GatewayReferent =
  | { readonly kind: 'service'; readonly service: Service }
  | { readonly kind: 'workload'; readonly workload: Workload }

/** By address: the service, else the workload; by name: the service, else the workload of that name. */
export function findGateway(
  lookup: WorkloadLookup,
  { destination }: GatewayAddress,
  clientNamespace: string,
): GatewayReferent | undefined {
  const service =
    destination.kind === 'address'
      ? lookup.serviceByVip(destination.network, destination.ip, clientNamespace)
      : lookup.service(`${destination.namespace}/${destination.hostname}`)
  if (service !== undefined) return { kind: 'service', service }
  const workload =
    destination.kind === 'address'
      ? lookup.workloadByIp(destination.network, destination.ip)
      : lookup.workloadByHostname(destination.namespace, destination.hostname)
  return workload && { kind: 'workload', workload }
}

/** The service's waypoint for this connection: one of the weighted ones, or the only one. */
export function sampleWaypoint(service: Service, random: () => number): GatewayAddress | undefined {
  const total = service.weightedWaypoints.reduce((sum, { weight }) => sum + weight, 0)
  if (total === 0) return service.waypoint
  let ticket = random() * total
  return service.weightedWaypoints.find(({ weight }) => (ticket -= weight) < 0)?.destination ?? service.waypoint
}

export type WaypointChoice =
  | {
      readonly kind: 'found'
      readonly to: SocketAddress
      readonly workload: Workload
      readonly expected: readonly SpiffeId[]
    }
  | {
      readonly kind: 'resolve-hostname'
      readonly port: number
      readonly workload: Workload
      readonly preferred: 4 | 6
      readonly expected: readonly SpiffeId[]
    }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly message: string }

/** Chooses the workload behind a waypoint reference, and the address and port to reach it on. */
export function resolveWaypoint(
  lookup: WorkloadLookup,
  gateway: GatewayAddress,
  request: { readonly source: Workload; readonly target: Ip; readonly random: () => number },
): WaypointChoice {
  const { source, target, random } = request
  const name = formatGateway(gateway)
  const referent = findGateway(lookup, gateway, source.namespace)
  if (referent === undefined) {
    return {
      kind: 'refused',
      reason: 'unknown-waypoint',
      message: `unknown waypoint: ${name} is neither a service nor a workload known here`,
    }
  }
  const service = referent.kind === 'service' ? referent.service : undefined
  const chosen =
    referent.kind === 'workload'
      ? { workload: referent.workload, port: gateway.hboneMtlsPort }
      : selectEndpoint(lookup, {
          source,
          service: referent.service,
          servicePort: gateway.hboneMtlsPort,
          random,
          portOf: waypointPortChoice(referent.service, gateway.hboneMtlsPort),
        })
  if (chosen === undefined) {
    return {
      kind: 'refused',
      reason: 'no-healthy-upstream',
      message: `no healthy upstream: waypoint ${name} has no usable endpoint`,
    }
  }
  const { workload, port } = chosen
  if (workload.network !== source.network) {
    return {
      kind: 'refused',
      reason: 'cross-network-unsupported',
      message: `waypoint ${name} is in network "${workload.network}", not in "${source.network}": traffic between networks is not supported`,
    }
  }
  const { destination } = gateway
  // By address the reference says the family; by name the connection does.
  const asked = destination.kind === 'address' ? destination.ip : target
  const expected = [workload.identity, ...(service?.identities ?? [])]
  const ip = selectAddress(workload, referent.kind === 'workload' ? asked : ipFamily(asked), service)
  if (ip !== undefined) return { kind: 'found', to: { ip, port }, workload, expected }
  if (workload.ips.length === 0 && workload.hostname !== '') {
    return { kind: 'resolve-hostname', port, workload, preferred: ipFamily(asked), expected }
  }
  return { kind: 'refused', reason: 'no-route', message: `no valid routing destination for workload: ${workload.uid}` }
}

/** A waypoint reached through its application tunnel need not list the HBONE port. */
function waypointPortChoice(service: Service, hbonePort: number): PortChoice {
  const onService = service.ports.get(hbonePort)
  return (own, workload) => own || onService || (workload.applicationTunnel?.port === undefined ? undefined : hbonePort)
}

/** `network/ip` or `namespace/hostname`, as dumps and messages name a gateway. */
export function formatGateway({ destination }: GatewayAddress): string {
  return destination.kind === 'address'
    ? `${destination.network}/${destination.ip}`
    : `${destination.namespace}/${destination.hostname}`
}
