import type { SocketAddress } from '@ambit/core'
import { type Baggage, formatBaggage, formatForwarded, newTraceParent } from '@ambit/hbone'
import type { Workload } from '@ambit/state'
import type { Party } from './traffic.types.ts'

export interface ConnectHeaderOptions {
  readonly source: Workload
  readonly client: SocketAddress
  readonly serviceHostname: string | undefined
}

/** The headers an outbound CONNECT carries; nothing else is sent (Istio). */
export class ConnectHeaders {
  readonly #baggage = new WorkloadBaggage()

  of({ source, client, serviceHostname }: ConnectHeaderOptions): Record<string, string> {
    return {
      baggage: this.#baggage.of(source),
      forwarded: formatForwarded(client, serviceHostname),
      traceparent: newTraceParent(),
    }
  }
}

/** The baggage header of a workload, written once for each version of it. */
export class WorkloadBaggage {
  readonly #written = new WeakMap<Workload, string>()

  of(workload: Workload): string {
    const known = this.#written.get(workload)
    if (known !== undefined) return known
    const baggage = formatBaggage(baggageOf(workload))
    this.#written.set(workload, baggage)
    return baggage
  }
}

function baggageOf(workload: Workload): Baggage {
  return {
    clusterName: workload.clusterId,
    namespace: workload.namespace,
    workloadType: workload.workloadType,
    workloadName: workload.workloadName,
    serviceName: workload.canonicalName,
    serviceVersion: workload.canonicalRevision,
    region: workload.locality.region,
    zone: workload.locality.zone,
  }
}

/** What the peer's proxy claims about its workload; for telemetry only. */
export function partyOfBaggage(baggage: Baggage): Party {
  return {
    workload: baggage.workloadName,
    namespace: baggage.namespace,
    canonicalName: baggage.serviceName,
    canonicalRevision: baggage.serviceVersion,
    cluster: baggage.clusterName,
    region: baggage.region,
    zone: baggage.zone,
  }
}
