import { serviceKey, type Workload, type WorkloadLookup } from '@ambit/state'
import type { ServiceParty } from './traffic.types.ts'

/**
 * The service an inbound connection was meant for, for telemetry: the hinted one when the workload serves it, otherwise the
 * first the workload serves.
 */
export function guessService(
  workloads: WorkloadLookup,
  workload: Workload,
  hint: string | undefined,
): ServiceParty | undefined {
  let first: ServiceParty | undefined
  for (const key of workload.services.keys()) {
    const service = workloads.service(key)
    if (service === undefined) continue
    const party = { hostname: service.hostname, namespace: service.namespace, name: service.name }
    if (hint === undefined || service.hostname === hint) return party
    first ??= party
  }
  return first
}

/** The port that leads from the service to this port of the workload. */
export function servicePort(workload: Workload, service: ServiceParty, port: number): number | undefined {
  for (const [of, target] of workload.services.get(serviceKey(service)) ?? []) if (target === port) return of
  return undefined
}
