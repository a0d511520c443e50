import type { Endpoint, LoadBalancing, ServiceKey } from './workload.types.ts'

interface Claims {
  readonly byUid: Map<string, Endpoint>
  /** The endpoints that are healthy, computed when next asked for. */
  healthy: readonly Endpoint[] | undefined
  all: readonly Endpoint[] | undefined
}

/**
 * What workloads say they serve, kept whether or not the service is known and whatever their health, so that the order in
 * which services and workloads arrive never matters. (Upstream forgets endpoints when a service goes away or the workload
 * turns unhealthy, and needs the workload sent again.)
 */
export class EndpointIndex {
  readonly #claims = new Map<ServiceKey, Claims>()

  put(key: ServiceKey, endpoint: Endpoint): void {
    const claims = this.#claims.get(key)
    if (claims === undefined) {
      const byUid = new Map([[endpoint.workloadUid, endpoint]])
      this.#claims.set(key, { byUid, healthy: undefined, all: undefined })
      return
    }
    claims.byUid.set(endpoint.workloadUid, endpoint)
    claims.healthy = undefined
    claims.all = undefined
  }

  remove(key: ServiceKey, workloadUid: string): void {
    const claims = this.#claims.get(key)
    if (claims === undefined) return
    claims.byUid.delete(workloadUid)
    claims.healthy = undefined
    claims.all = undefined
    if (claims.byUid.size === 0) this.#claims.delete(key)
  }

  find(key: ServiceKey, workloadUid: string): Endpoint | undefined {
    return this.#claims.get(key)?.byUid.get(workloadUid)
  }

  usable(key: ServiceKey, policy: LoadBalancing['healthPolicy']): readonly Endpoint[] {
    const claims = this.#claims.get(key)
    if (claims === undefined) return []
    if (policy === 'AllowAll') return (claims.all ??= [...claims.byUid.values()])
    return (claims.healthy ??= [...claims.byUid.values()].filter(({ status }) => status === 'Healthy'))
  }

  /** Claims on services that are not among the known ones. */
  without(known: ReadonlyMap<ServiceKey, unknown>): ReadonlyMap<ServiceKey, readonly Endpoint[]> {
    const staged = new Map<ServiceKey, readonly Endpoint[]>()
    for (const [key, { byUid }] of this.#claims) if (!known.has(key)) staged.set(key, [...byUid.values()])
    return staged
  }
}
