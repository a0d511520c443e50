import type { Labels } from '@ambit/core'
import { formatSpiffeId } from '@ambit/core'
import type { ResponseFlag } from './failures.ts'
import type { Party, Traffic } from './traffic.types.ts'

/** Labels of the connection metrics in Istio's order; the localities only appear where one is known. */
export const TRAFFIC_LABELS: readonly string[] = [
  'reporter',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_cluster',
  'destination_service',
  'destination_service_namespace',
  'destination_service_name',
  'destination_workload',
  'destination_canonical_service',
  'destination_canonical_revision',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_cluster',
  'request_protocol',
  'response_flags',
  'connection_security_policy',
  'source_region',
  'source_zone',
  'destination_region',
  'destination_zone',
]

export function trafficLabels(traffic: Traffic, flag: ResponseFlag): Labels {
  const { sourceParty: source, destinationParty: destination, service } = traffic
  return {
    reporter: traffic.reporter,
    source_workload: known(source?.workload),
    source_canonical_service: known(source?.canonicalName),
    source_canonical_revision: known(source?.canonicalRevision),
    source_workload_namespace: known(source?.namespace),
    source_principal: traffic.sourceIdentity === undefined ? 'unknown' : formatSpiffeId(traffic.sourceIdentity),
    source_app: known(source?.canonicalName),
    source_version: known(source?.canonicalRevision),
    source_cluster: known(source?.cluster),
    destination_service: known(service?.hostname),
    destination_service_namespace: known(service?.namespace),
    destination_service_name: known(service?.name),
    destination_workload: known(destination?.workload),
    destination_canonical_service: known(destination?.canonicalName),
    destination_canonical_revision: known(destination?.canonicalRevision),
    destination_workload_namespace: known(destination?.namespace),
    destination_principal:
      traffic.destinationIdentity === undefined ? 'unknown' : formatSpiffeId(traffic.destinationIdentity),
    destination_app: known(destination?.canonicalName),
    destination_version: known(destination?.canonicalRevision),
    destination_cluster: known(destination?.cluster),
    request_protocol: 'tcp',
    response_flags: flag,
    connection_security_policy: traffic.mutualTls ? 'mutual_tls' : 'unknown',
    ...localities(source, destination),
  }
}

function localities(source: Party | undefined, destination: Party | undefined): Labels {
  const places = [source?.region, source?.zone, destination?.region, destination?.zone]
  if (places.every((place) => place === undefined || place === '')) return {}
  return {
    source_region: known(source?.region),
    source_zone: known(source?.zone),
    destination_region: known(destination?.region),
    destination_zone: known(destination?.zone),
  }
}

function known(value: string | undefined): string {
  return value === undefined || value === '' ? 'unknown' : value
}
