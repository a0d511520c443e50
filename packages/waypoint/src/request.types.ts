import type { Ip, SocketAddress, SpiffeId } from '@ambit/core'
import type { Authority, TlsFacts } from '@ambit/hbone'
import type { RequestFacts, RequestVerdict } from '@ambit/policy'
import type { HeaderList, RequestTarget } from '@ambit/route'
import type {
  Backend,
  DestinationPort,
  Listener,
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
import type { Cluster } from './upstream/clusters.ts'

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

/** What is known of the connection that requests come by, the same for all of them. */
export type Downstream = TunnelFacts | GatewayConnectionFacts

interface DownstreamBase {
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** Where the client was going, as logs show it. */
  readonly authority: string
  readonly destinationIp: Ip
  readonly destinationPort: number
}

/** A CONNECT of a client in the mesh. */
export interface TunnelFacts extends DownstreamBase {
  readonly kind: 'tunnel'
  /** Of the client, by its certificate. */
  readonly peer: SpiffeId
  readonly transport: TlsFacts
  /** What CONNECT asks for. */
  readonly asked: Authority
  /** Absent when the client gave a name; then the destination's address is the service's first. */
  readonly targetAddress: SocketAddress | undefined
}

/** A connection to a listener of a gateway. */
export interface GatewayConnectionFacts extends DownstreamBase {
  readonly kind: 'gateway'
  /** Of a client whose certificate was asked for, verified and names one. */
  readonly peer: SpiffeId | undefined
  readonly targetAddress: undefined
  /** The listener's port. */
  readonly port: number
  /** Absent on a plain connection. */
  readonly tls: ClientTls | undefined
}

export interface ClientTls {
  /** `TLSv1.3`. */
  readonly version: string | undefined
  readonly cipher: string
  readonly serverName: string | undefined
  /** Of the listener, when it let the client in. */
  readonly terms: string
  /** x-forwarded-client-cert as the verified certificate says it; absent without one. */
  readonly forwardedCertificate: string | undefined
}

/** What a request is for: what its tunnel was opened for, or the host it names at a gateway. */
export type RequestDestination = TunnelTarget | GatewayTarget

export interface GatewayTarget {
  readonly kind: 'gateway'
  readonly destination: Pick<ServiceDestination, 'authorizationPolicies' | 'authenticatesRequests'>
  /** Undefined where no listener takes the host. */
  readonly listener: Listener | undefined
  readonly routes: readonly Route[]
}

/** Where a request goes. */
export interface Upstream {
  /** A service, or the one workload addressed. */
  readonly to:
    | { readonly kind: 'service'; readonly service: Service; readonly port: number; readonly isAddressed: boolean }
    | { readonly kind: 'workload'; readonly workload: Workload; readonly port: number }
  readonly protocol: PortProtocol
  readonly backend: Backend | undefined
  /** What DestinationRules say of the service; absent: nothing. */
  readonly rules?: UpstreamRules | undefined
}

/** Both empty: all endpoints, treated as any. */
export interface UpstreamRules {
  readonly trafficPolicy: string
  readonly subset: string
}

/** A request's cluster, and what binds the request to one of its endpoints. */
export interface Treated {
  readonly cluster: Cluster
  readonly hashKey: string | undefined
}

/** One request on its way through the pipeline; each step adds what it decides. */
export interface RequestState {
  readonly exchange: Exchange
  readonly downstream: Downstream
  readonly record: RequestRecord
  readonly settings: WaypointSettings
  /** By `edge-headers`, at a gateway: the client's headers as far as they are believed. */
  headers?: HeaderList
  /** By `edge-headers`: the client as trusted proxies say. */
  remoteIp?: Ip
  /** By `identify-destination` or `identify-host`. */
  target?: RequestDestination
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
  /** By `cors` and `treat`: added to whatever the client is answered. */
  answerHeaders?: HeaderList
  /** By `act`. */
  mirrors?: readonly Mirror[]
  upstream?: Upstream
  /** By `treat`; absent: no DestinationRule speaks of it. */
  treated?: Treated
  /** By `request-filters`: what is sent. */
  outgoing?: RequestTarget
}
