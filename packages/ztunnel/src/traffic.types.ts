import type { SocketAddress, SpiffeId } from '@ambit/core'
import type { TlsFacts } from '@ambit/hbone'
import type { Workload } from '@ambit/state'

/** What telemetry says about one end of a connection. Every part may be unknown. */
export interface Party {
  /** Pod name, for the log. */
  readonly name?: string | undefined
  /** Name of the owner, for metrics. */
  readonly workload?: string | undefined
  readonly namespace?: string | undefined
  readonly canonicalName?: string | undefined
  readonly canonicalRevision?: string | undefined
  readonly cluster?: string | undefined
  readonly region?: string | undefined
  readonly zone?: string | undefined
}

export interface ServiceParty {
  readonly hostname: string
  readonly namespace: string
  readonly name: string
}

/** Everything the access log and the metrics say about a connection when it opens. */
export interface Traffic {
  readonly reporter: 'source' | 'destination'
  readonly source: SocketAddress
  /** Next hop of outbound connections, our own end of inbound ones. */
  readonly destination: SocketAddress
  /** Authority of the tunnel, or the address behind it. */
  readonly hboneTarget?: string | undefined
  readonly mutualTls: boolean
  readonly sourceParty: Party | undefined
  /** Known only where mutual TLS proved it. */
  readonly sourceIdentity?: SpiffeId | undefined
  readonly destinationParty: Party | undefined
  readonly destinationIdentity?: SpiffeId | undefined
  readonly service: ServiceParty | undefined
  /** As the client addressed the service, where that is known. */
  readonly servicePort?: number | undefined
  /** The next hop is no endpoint but a waypoint. */
  readonly waypoint?: { readonly name: string; readonly target: Party | undefined } | undefined
  /** Of the tunnel it came by. */
  readonly tls?: TlsFacts | undefined
}

export function partyOf(workload: Workload): Party {
  return {
    name: workload.name,
    workload: workload.workloadName,
    namespace: workload.namespace,
    canonicalName: workload.canonicalName,
    canonicalRevision: workload.canonicalRevision,
    cluster: workload.clusterId,
    region: workload.locality.region,
    zone: workload.locality.zone,
  }
}
