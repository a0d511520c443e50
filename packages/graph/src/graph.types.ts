import type { Flow } from '@ambit/flow'

/** Who talks to whom, as far as proxies told. */
export interface GraphView {
  /** RFC 3339, UTC. */
  readonly at: string
  /** By id. */
  readonly nodes: readonly GraphNode[]
  /** By id. */
  readonly edges: readonly GraphEdge[]
}

export interface GraphNode {
  /** `workload:shop/web`, `account:shop/web`, `service:shop/web.shop.svc.cluster.local`, `address:10.1.2.3`, `outside`. */
  readonly id: string
  /** `address`: nobody in the mesh; `outside`: clients of gateways, and addresses beyond a limit, together. */
  readonly kind: 'workload' | 'service' | 'gateway' | 'waypoint' | 'address' | 'outside'
  readonly namespace?: string | undefined
  /** As people say it: `web`, `10.1.2.3`. */
  readonly name: string
  /** Of its pods, as mutual TLS proved them. */
  readonly identities: readonly string[]
}

/** All that one client does with one service, or with a workload directly: reports of several proxies about it are one edge. */
export interface GraphEdge {
  /** `from>to`. */
  readonly id: string
  /** Ids of nodes. */
  readonly from: string
  readonly to: string
  readonly ports: readonly number[]
  /** Workloads that answered for a service, `namespace/name`. */
  readonly endpoints: readonly string[]
  /** `namespace/name`. */
  readonly waypoints: readonly string[]
  readonly clientIdentities: readonly string[]
  readonly serverIdentities: readonly string[]
  readonly transports: readonly Flow['transport']['kind'][]
  readonly tlsVersions: readonly string[]
  readonly keyExchanges: readonly string[]
  /** Some of it is readable on the wire. */
  readonly plainText: boolean
  /** Connections open now. */
  readonly open: number
  readonly connections: number
  /** Seen by a waypoint or gateway. */
  readonly requests: number
  readonly denied: number
  readonly failed: number
  readonly bytesFromClient: number
  readonly bytesToClient: number
  /** When the first flow of it began. */
  readonly firstAt: string
  /** When it was told of last. */
  readonly lastAt: string
  /** The newest flow of it. */
  readonly last: Flow
  readonly lastDenied?: Flow | undefined
  readonly lastFailed?: Flow | undefined
}
