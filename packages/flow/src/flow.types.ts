/** Format of a line that a proxy streams and `ambit record` writes. A reader refuses what it does not know. */
export const FLOW_FORMAT = 'ambit.flow/v1'

/** One connection or request, as one proxy saw it. */
export interface Flow {
  /** Unique among all proxies; the access log has it too. */
  readonly id: string
  readonly state: FlowState
  /** RFC 3339, UTC. */
  readonly startedAt: string
  /** When this was told. */
  readonly at: string
  readonly reporter: FlowReporter
  /** Whose proxy tells: the client's, the server's, or one between them. */
  readonly side: 'source' | 'destination' | 'waypoint'
  readonly protocol: 'tcp' | 'http'
  readonly client: FlowEnd
  /** Where it went, or would have gone. */
  readonly server: FlowEnd
  readonly service?: FlowService | undefined
  /** The waypoint that it goes through, `namespace/name`. */
  readonly waypoint?: string | undefined
  readonly transport: FlowTransport
  /** Of a connection: payload so far. Of a request: its body, and that of the answer. */
  readonly bytesFromClient: number
  readonly bytesToClient: number
  readonly request?: FlowRequest | undefined
  /** Absent where nothing was judged. */
  readonly verdict?: FlowVerdict | undefined
  /** Of what is denied or failed, as the access log words it. */
  readonly failure?: { readonly code: string; readonly message: string } | undefined
}

export type FlowState = 'open' | 'closed' | 'denied' | 'failed'

export interface FlowReporter {
  readonly kind: 'ztunnel' | 'waypoint' | 'gateway'
  /** Of the proxy's pod: `namespace/name`. */
  readonly pod: string
  readonly node?: string | undefined
  /** Of a waypoint or gateway: its Gateway, `namespace/name`. */
  readonly gateway?: string | undefined
}

export interface FlowEnd {
  /** `ip:port`, as core writes it. */
  readonly address: string
  /** `spiffe://…`, only where mutual TLS proved it: of who holds the other end of the tunnel, which may be a waypoint. */
  readonly identity?: string | undefined
  readonly namespace?: string | undefined
  /** Of its owner (the Deployment), or of the pod without one. */
  readonly workload?: string | undefined
  readonly pod?: string | undefined
}

export interface FlowService {
  readonly namespace: string
  readonly hostname: string
  /** The service's own; 0 where its proxy sees the endpoint's only. */
  readonly port: number
}

export interface FlowTransport {
  readonly kind: 'hbone' | 'tls' | 'plain'
  /** `TLSv1.3`. */
  readonly version?: string | undefined
  readonly cipher?: string | undefined
  /** As OpenSSL names the group: `X25519MLKEM768`. */
  readonly keyExchange?: string | undefined
}

export interface FlowRequest {
  readonly method: string
  /** As policies saw it: normalised, without query. */
  readonly path: string
  readonly host: string
  /** Of those headers only that a policy in force reads. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Of a token that was checked: the claims that a policy in force reads. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** 0 while nothing is answered. */
  readonly status: number
}

export interface FlowVerdict {
  readonly allowed: boolean
  readonly reason: string
  /** `namespace/name` of the policy that decided. */
  readonly policy?: string | undefined
  readonly rule?: number | undefined
  /** The ALLOW policies of which none matched. */
  readonly unmatched?: readonly string[] | undefined
}
