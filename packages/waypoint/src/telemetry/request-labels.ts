import { formatSpiffeId, type Labels, type SpiffeId } from '@ambit/core'
import type { Service, Workload } from '@ambit/state'

const ENDS: readonly string[] = [
  'reporter',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_cluster',
  'destination_workload',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_service',
  'destination_canonical_service',
  'destination_canonical_revision',
  'destination_service_name',
  'destination_service_namespace',
  'destination_cluster',
  'request_protocol',
]

/** Labels of the request metrics, in Istio's order. */
export const REQUEST_LABELS: readonly string[] = [
  ...ENDS,
  'response_code',
  'grpc_response_status',
  'response_flags',
  'connection_security_policy',
]

/** TCP has no response codes. */
export const TCP_LABELS: readonly string[] = [...ENDS, 'response_flags', 'connection_security_policy']

/** Who talked to whom. */
export interface Ends {
  /** A gateway is where requests begin. */
  readonly reporter: 'waypoint' | 'source'
  /** Undefined where the other side can't know it. */
  readonly peer: SpiffeId | undefined
  /** The client's workload; absent when the control plane does not know it. */
  readonly source: Workload | undefined
  readonly endpoint: Workload | undefined
  readonly service: Service | undefined
  readonly protocol: 'http' | 'grpc' | 'tcp'
}

export function endLabels({ reporter, peer, source, endpoint, service, protocol }: Ends): Labels {
  return {
    reporter,
    source_workload: known(source?.workloadName),
    source_canonical_service: known(source?.canonicalName),
    source_canonical_revision: source?.canonicalRevision || 'latest',
    source_workload_namespace: known(source?.namespace ?? peer?.namespace),
    source_principal: peer === undefined ? 'unknown' : formatSpiffeId(peer),
    source_app: known(source?.canonicalName),
    source_version: known(source?.canonicalRevision),
    source_cluster: known(source?.clusterId),
    destination_workload: known(endpoint?.workloadName),
    destination_workload_namespace: known(endpoint?.namespace),
    destination_principal: endpoint?.protocol === 'HBONE' ? formatSpiffeId(endpoint.identity) : 'unknown',
    destination_app: known(endpoint?.canonicalName),
    destination_version: known(endpoint?.canonicalRevision),
    destination_service: known(service?.hostname),
    destination_canonical_service: known(endpoint?.canonicalName),
    destination_canonical_revision: endpoint?.canonicalRevision || 'latest',
    destination_service_name: known(service?.name),
    destination_service_namespace: known(service?.namespace),
    destination_cluster: known(endpoint?.clusterId),
    request_protocol: protocol,
  }
}

/** Everything {@link endLabels} looks at. */
export function endsKey({ reporter, peer, source, endpoint, service, protocol }: Ends): string {
  return `${reporter}\0${protocol}\0${peer === undefined ? '' : formatSpiffeId(peer)}\0${source?.uid ?? ''}\0${endpoint?.uid ?? ''}\0${service === undefined ? '' : `${service.namespace}/${service.hostname}`}`
}

/** Only who receives a connection knows for sure (Istio). */
export function connectionSecurity({ reporter }: Ends): string {
  return reporter === 'waypoint' ? 'mutual_tls' : 'unknown'
}

function known(value: string | undefined): string {
  return value === undefined || value === '' ? 'unknown' : value
}
