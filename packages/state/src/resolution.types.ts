import type { Ip, SocketAddress, SpiffeId } from '@ambit/core'
import type { Service, Workload } from './workload.types.ts'

/** Where a captured connection goes. */
export type Resolution = Passthrough | Direct | ViaWaypoint | NeedsHostname | Refused

/** Nothing is known of the target: plain TCP to where the application was going. */
export interface Passthrough {
  readonly kind: 'passthrough'
  readonly to: SocketAddress
  /** The service, when there is one that asks for passthrough. */
  readonly service?: Service | undefined
}

export interface Direct {
  readonly kind: 'direct'
  readonly protocol: Workload['protocol']
  /** The address to dial: pod:15008 for HBONE, pod:port for TCP. */
  readonly to: SocketAddress
  readonly workload: Workload
  /** The service the application addressed. */
  readonly service?: Service | undefined
  /** What CONNECT asks for; only for HBONE. */
  readonly authority?: SocketAddress | undefined
  /** Identities of which the server must prove one. */
  readonly expected: readonly SpiffeId[]
}

export interface ViaWaypoint {
  readonly kind: 'waypoint'
  readonly to: SocketAddress
  /** The address the application was going to, untranslated. */
  readonly authority: SocketAddress
  /** The waypoint's workload. */
  readonly workload: Workload
  readonly expected: readonly SpiffeId[]
  /** The service the application addressed. */
  readonly service?: Service | undefined
  /** The workload the application addressed, when it addressed one. */
  readonly target?: Workload | undefined
}

/** The chosen workload has a DNS name and no address: resolve it, then call {@link withResolvedAddress}. */
export interface NeedsHostname {
  readonly kind: 'resolve-hostname'
  readonly hostname: string
  readonly workload: Workload
  /** Family to prefer among the answers. */
  readonly preferred: 4 | 6
  readonly pending: PendingDirect | PendingWaypoint
}

export interface PendingDirect {
  readonly kind: 'direct'
  readonly port: number
  readonly service: Service | undefined
  readonly expected: readonly SpiffeId[]
}

export interface PendingWaypoint {
  readonly kind: 'waypoint'
  readonly port: number
  readonly authority: SocketAddress
  readonly service: Service | undefined
  readonly target: Workload | undefined
  readonly expected: readonly SpiffeId[]
}

export type RefusalReason =
  | 'no-healthy-upstream'
  | 'unknown-waypoint'
  | 'no-route'
  | 'cross-network-unsupported'
  | 'unresolved-hostname'

export interface Refused {
  readonly kind: 'refused'
  readonly reason: RefusalReason
  readonly message: string
  readonly service?: Service | undefined
  readonly workload?: Workload | undefined
}

export interface ResolveRequest {
  /** The workload the connection comes from. */
  readonly source: Workload
  /** The address it comes from; needed to recognise a waypoint's own traffic. */
  readonly sourceIp?: Ip | undefined
  /** Where the application was going. */
  readonly target: SocketAddress
  /** The network this proxy runs in. */
  readonly network: string
  /** 0 ≤ x < 1. */
  readonly random: () => number
}
