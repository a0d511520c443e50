import type { LogFields } from '@ambit/core'
import { formatSocketAddress, formatSpiffeId } from '@ambit/core'
import type { ConnectionFailure } from './failures.ts'
import type { Party, Traffic } from './traffic.types.ts'

/** Fields every line about a connection begins with, in Istio's order. */
export function openingFields(traffic: Traffic): LogFields {
  const { sourceParty: source, destinationParty: destination, sourceIdentity, destinationIdentity } = traffic
  return {
    'src.addr': formatSocketAddress(traffic.source),
    'src.workload': nameOf(source),
    'src.namespace': filled(source?.namespace),
    'src.identity': sourceIdentity && formatSpiffeId(sourceIdentity),
    'src.cluster': filled(source?.cluster),
    'dst.addr': formatSocketAddress(traffic.destination),
    'dst.hbone_addr': traffic.hboneTarget,
    'dst.service': traffic.service?.hostname,
    'dst.workload': nameOf(destination),
    'dst.namespace': filled(destination?.namespace),
    'dst.identity': destinationIdentity && formatSpiffeId(destinationIdentity),
    'dst.cluster': filled(destination?.cluster),
    direction: traffic.reporter === 'source' ? 'outbound' : 'inbound',
  }
}

/** Bytes of a connection as seen by the proxy, whoever reports. */
export interface Transferred {
  readonly fromDownstream: number
  readonly toDownstream: number
}

/**
 * Fields a finished connection adds. `sent` means sent by the local application where the source reports, and sent to the
 * client where the destination does (Istio).
 */
export function closingFields(
  traffic: Traffic,
  bytes: Transferred,
  durationMs: number,
  { id, failure }: { readonly id: string; readonly failure: ConnectionFailure | undefined },
): LogFields {
  const outbound = traffic.reporter === 'source'
  return {
    bytes_sent: outbound ? bytes.fromDownstream : bytes.toDownstream,
    bytes_recv: outbound ? bytes.toDownstream : bytes.fromDownstream,
    duration: `${Math.round(durationMs)}ms`,
    // Ours, before Istio's last field: what flows are called by, and which policies decided.
    connection_id: id,
    policies: failure?.policies,
    error: failure?.message,
  }
}

function nameOf(party: Party | undefined): string | undefined {
  return filled(party?.name) ?? filled(party?.canonicalName)
}

function filled(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}
