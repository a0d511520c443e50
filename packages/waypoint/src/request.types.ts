import type { Ip, SocketAddress, SpiffeId } from '@ambit/core'
import type { Authority } from '@ambit/hbone'
import type { RequestFacts, RequestVerdict } from '@ambit/policy'
import type { RequestTarget } from '@ambit/route'
import type {
  Backend,
  DestinationPort,
  Mirror,
  PortProtocol,
  Route,
  Service,
  ServiceDestination,
  WaypointSettings,
  Workload,
  WorkloadDestination,
} from '@ambit/state'
import type { Exchange } from './http/exchange.types.ts'
import type { RequestRecord } from './telemetry/request-record.ts'

/** What a tunnel is for; found by its authority alone. */
export type TunnelTarget =
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

/** What is known of a tunnel, the same for all its requests. */
export interface TunnelFacts {
  /** Of the client, by its certificate. */
  readonly peer: SpiffeId
  /** The pod the tunnel comes from. */
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** As asked for by CONNECT: `ip:port` or `hostname:port`. */
  readonly authority: string
  /** The same, read. */
  readonly asked: Authority
  /** The address of the authority; of a name, the service's first. */
  readonly destinationIp: Ip
  readonly destinationPort: number
  /** Absent when the client gave a name. */
  readonly targetAddress: SocketAddress | undefined
}

/** Where a request goes. */
export interface Upstream {
  /** A service, or the one workload addressed. */
  readonly to:
    | { readonly kind: 'service'; readonly service: Service; readonly port: number; readonly isAddressed: boolean }
    | { readonly kind: 'workload'; readonly workload: Workload; readonly port: number }
  readonly protocol: PortProtocol
  readonly backend: Backend | undefined
}

/** One request on its way through the pipeline; each step adds what it decides. */
export interface RequestState {
  readonly exchange: Exchange
  readonly tunnel: TunnelFacts
  readonly record: RequestRecord
  readonly settings: WaypointSettings
  /** By `identify-destination`. */
  target?: TunnelTarget
  /** By `normalise-path`: path and query as everything after it sees and sends them. */
  path?: string
  query?: string
  /** By lower-case name, lines joined; `host` is the authority. */
  header?: (name: string) => string | undefined
  /** By `custom-authorization`; judged once, used by `authorize`. */
  facts?: RequestFacts
  verdict?: RequestVerdict
  /** By `route`. */
  route?: Route
  mirrors?: readonly Mirror[]
  upstream?: Upstream
  /** By `request-filters`: what is sent. */
  outgoing?: RequestTarget
}
