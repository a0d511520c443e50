import type { FlowVerdict } from '@ambit/flow'

/** Format of what `ambit record` writes, one JSON object a line; docs/diff.md describes it. */
export const FLOWS_FORMAT = 'ambit.flows/v1'

export type FlowsLine = FlowsHeader | RecordedFlow | RecordedGap | FlowsEnd

/** The first line. */
export interface FlowsHeader {
  readonly kind: 'header'
  readonly format: typeof FLOWS_FORMAT
  /** RFC 3339, UTC. */
  readonly startedAt: string
  /** Empty: all. */
  readonly namespaces: readonly string[]
  /** What policies in force read, and so was recorded of each request that had it. */
  readonly reads: { readonly headers: readonly string[]; readonly claims: readonly string[] }
}

/** Connections or requests that policies of the time could not tell apart. */
export interface RecordedFlow {
  readonly kind: 'flow'
  /** Who judged it: a waypoint or gateway sees requests, a ztunnel connections. */
  readonly judge: 'ztunnel' | 'waypoint' | 'gateway'
  /** Of a waypoint or gateway, `namespace/name`. */
  readonly gateway?: string | undefined
  readonly client: RecordedClient
  readonly service?: { readonly namespace: string; readonly hostname: string; readonly port: number } | undefined
  /** Where it went without a service, or behind one. */
  readonly server?: { readonly namespace: string; readonly workload: string; readonly port: number } | undefined
  readonly request?: RecordedRequest | undefined
  readonly verdict?: FlowVerdict | undefined
  /** How it ended. */
  readonly outcome: 'allowed' | 'denied' | 'failed'
  readonly count: number
  readonly firstSeen: string
  readonly lastSeen: string
}

export interface RecordedClient {
  /** `spiffe://…`; absent: it proved none. */
  readonly identity?: string | undefined
  readonly namespace?: string | undefined
  readonly workload?: string | undefined
}

export interface RecordedRequest {
  readonly method: string
  /** `/reviews/{number}`: what differs from request to request has the name of its kind. */
  readonly path: string
  readonly host: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** Something that the recording does not have. */
export interface RecordedGap {
  readonly kind: 'gap'
  readonly at: string
  readonly message: string
  readonly count: number
}

/** The last line; a file without one was cut short. */
export interface FlowsEnd {
  readonly kind: 'end'
  readonly at: string
  /** Recorded as long as was asked, or until it was told to stop. */
  readonly complete: boolean
  readonly reason: string
  /** Lines of flows, and connections and requests that they stand for. */
  readonly flows: number
  readonly counted: number
}
