import type { Question } from '@ambit/explain'

/** What the page shows: who talks to whom. Sent whole, about once a second. */
export interface Topology {
  /** RFC 3339, UTC. */
  readonly at: string
  readonly nodes: readonly TopologyNode[]
  readonly edges: readonly TopologyEdge[]
  /** Which workloads answer for a service. */
  readonly servings: readonly Serving[]
  /** Edges beyond the limit, the quietest ones. */
  readonly leftOut: number
  readonly health: FeedHealth
}

export interface Serving {
  /** Ids of nodes. */
  readonly service: string
  readonly workload: string
}

export interface TopologyNode {
  readonly id: string
  readonly kind: 'workload' | 'service' | 'waypoint' | 'gateway' | 'outside'
  /** Absent outside of the mesh. */
  readonly namespace?: string | undefined
  readonly name: string
}

export interface TopologyEdge {
  readonly id: string
  readonly from: string
  readonly to: string
  /** Node of the waypoint in between. */
  readonly via?: string | undefined
  readonly ports: readonly number[]
  readonly security: EdgeSecurity
  readonly counts: EdgeCounts
  /** Requests, or connections where no proxy sees requests, per second. */
  readonly perSecond: number
  readonly countsRequests: boolean
  readonly bytesPerSecond: number
  /** Denied during the last minutes, as long as the history goes back. */
  readonly deniedLately: number
  readonly failedLately: number
  /** Open connections. */
  readonly open: number
  /** RFC 3339, UTC. */
  readonly lastAt: string
}

/** Since the dashboard began to look. */
export interface EdgeCounts {
  readonly connections: number
  readonly requests: number
  readonly bytesFromClient: number
  readonly bytesToClient: number
  readonly denied: number
  readonly failed: number
}

/** The weakest of what was seen, first. */
export type SecurityLevel = 'plain' | 'mixed' | 'tls' | 'mtls' | 'mtls-post-quantum' | 'unknown'

export interface EdgeSecurity {
  readonly level: SecurityLevel
  /** What was seen, each once: `mTLS TLSv1.3 X25519MLKEM768`. */
  readonly seen: readonly string[]
}

export interface FeedHealth {
  /** How many are read. */
  readonly proxies: number
  /** What is missing here and why: a proxy that can't be asked, flows that were lost. */
  readonly problems: readonly string[]
  /** Why the cluster does not answer; absent while it does. */
  readonly lost?: { readonly since: string; readonly reason: string } | undefined
}

/** What the panel of an edge shows beyond the edge itself. */
export interface EdgeDetail {
  readonly id: string
  /** `namespace/name`. */
  readonly waypoints: readonly string[]
  readonly clientIdentities: readonly string[]
  readonly serverIdentities: readonly string[]
  readonly history: EdgeHistory
  /** Newest first. */
  readonly denials: readonly Denial[]
  /** What to ask about this edge; absent where nobody could answer. */
  readonly question?: Question | undefined
}

/** Oldest first, one number for each step. */
export interface EdgeHistory {
  readonly stepMs: number
  readonly events: readonly number[]
  readonly bytes: readonly number[]
  readonly denied: readonly number[]
}

/** The same request refused for the same reason, once or more often. */
export interface Denial {
  /** Of the newest flow. */
  readonly id: string
  /** When it was refused last. */
  readonly at: string
  readonly times: number
  /** `GET /path` of a request. */
  readonly request?: { readonly method: string; readonly path: string; readonly host: string } | undefined
  readonly reason: string
  readonly policy?: string | undefined
  readonly rule?: number | undefined
  /** ALLOW policies of which none matched. */
  readonly unmatched?: readonly string[] | undefined
  /** Whose proxy refused it. */
  readonly by: string
}

/** Sent once, at the beginning of a stream. */
export interface Greeting {
  readonly version: string
  /** Context of the kubeconfig. */
  readonly context: string
  /** Only edges that touch it are shown. */
  readonly namespace?: string | undefined
}
