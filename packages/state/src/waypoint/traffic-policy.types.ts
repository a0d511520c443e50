/** How requests to a service are spread and bounded: of all its endpoints, or of a subset's. */
export interface TrafficPolicy extends Treatments {
  readonly subsets: ReadonlyMap<string, Treatments>
}

export interface Treatments {
  readonly treatment: Treatment
  /** In place of it, for a port of the service. */
  readonly ports: ReadonlyMap<number, Treatment>
}

export interface Treatment {
  readonly algorithm: LoadBalancingAlgorithm
  /** Undefined: the algorithm alone. */
  readonly hashOf: HashOf | undefined
  /** Of HTTP/1.1, requests under way; undefined here and below: no limit. */
  readonly maxConnections: number | undefined
  readonly maxPendingRequests: number | undefined
  /** Of HTTP/2, requests under way. */
  readonly maxRequests: number | undefined
  readonly maxRetries: number | undefined
  readonly maxRequestsPerConnection: number | undefined
  /** Undefined: the settings'. */
  readonly connectTimeoutMs: number | undefined
  readonly outlierDetection: OutlierDetection | undefined
  /** Why no request may go there; undefined: nothing stands against it. */
  readonly refused: string | undefined
  /** Undefined: what the mesh does. */
  readonly tls: UpstreamTls | undefined
}

/** The endpoint itself ends TLS. */
export interface UpstreamTls {
  /** Empty: the service's hostname. */
  readonly serverName: string
  /** Of the endpoint's certificate, which needs one of them; empty: the server name. */
  readonly subjectAltNames: readonly string[]
  readonly insecureSkipVerify: boolean
}

export type LoadBalancingAlgorithm = 'least-request' | 'round-robin' | 'random' | 'passthrough'

export type HashOf =
  | { readonly kind: 'header' | 'query-parameter'; readonly name: string }
  | { readonly kind: 'source-ip' }
  | {
      readonly kind: 'cookie'
      readonly name: string
      readonly path: string
      /** Undefined: who has none is given none. 0: until the browser is closed. */
      readonly ttlSeconds: number | undefined
    }

export interface OutlierDetection {
  /** In a row; 0: not counted. */
  readonly consecutive5xx: number
  readonly consecutiveGatewayErrors: number
  readonly intervalMs: number
  readonly baseEjectionMs: number
  readonly maxEjectionPercent: number
  readonly minHealthPercent: number
}
