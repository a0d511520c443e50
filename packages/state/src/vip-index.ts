import type { Ip } from '@ambit/core'
import { NetworkTable } from './network-table.ts'
import type { CidrVip, Service } from './workload.types.ts'

/** Which services answer to an address. */
export class VipIndex {
  readonly #exact = new Map<string, Map<Ip, Set<Service>>>()
  readonly #networks = new Map<string, NetworkTable<CidrEntry>>()
  /** By service, to be found again when it goes. */
  readonly #entries = new Map<Service, readonly CidrEntry[]>()

  add(service: Service): void {
    for (const { network, ip } of service.vips) {
      const exact = this.#exact.get(network)
      if (exact === undefined) this.#exact.set(network, new Map([[ip, new Set([service])]]))
      else addTo(exact, ip, service)
    }
    if (service.cidrVips.length === 0) return
    const entries = service.cidrVips.map((vip) => ({ vip, service }))
    this.#entries.set(service, entries)
    for (const entry of entries) {
      const { network, cidr } = entry.vip
      let table = this.#networks.get(network)
      if (table === undefined) {
        table = new NetworkTable()
        this.#networks.set(network, table)
      }
      table.add(cidr, entry)
    }
  }

  remove(service: Service): void {
    for (const { network, ip } of service.vips) {
      const exact = this.#exact.get(network)
      if (exact === undefined) continue
      removeFrom(exact, ip, (held) => held === service)
      if (exact.size === 0) this.#exact.delete(network)
    }
    for (const entry of this.#entries.get(service) ?? []) {
      const { network, cidr } = entry.vip
      const table = this.#networks.get(network)
      table?.remove(cidr, entry)
      if (table?.isEmpty === true) this.#networks.delete(network)
    }
    this.#entries.delete(service)
  }

  /**
   * The service a client of the namespace means by the address. Services hidden from it do not exist; then its own
   * namespace, then Kubernetes Services, then whoever came first. Ranges only count when no exact address does.
   */
  find(network: string, ip: Ip, clientNamespace: string): Service | undefined {
    const named = this.#exact.get(network)?.get(ip)
    const exact =
      named &&
      bestOf(named, (service) =>
        isVisible(service, clientNamespace) ? [own(service, clientNamespace), Number(service.canonical)] : undefined,
      )
    if (exact !== undefined) return exact
    return bestOf(this.#around(network, ip), ({ vip, service }) =>
      isVisible(service, clientNamespace)
        ? [own(service, clientNamespace), vip.cidr.length, Number(service.canonical)]
        : undefined,
    )?.service
  }

  /** Services that name the address itself, whoever may see them. */
  named(network: string, ip: Ip): readonly Service[] {
    return [...(this.#exact.get(network)?.get(ip) ?? [])]
  }

  /** All services of an address, whoever may see them: those that name it, else those of the narrowest range around it. */
  all(network: string, ip: Ip): readonly Service[] {
    const exact = this.#exact.get(network)?.get(ip)
    if (exact !== undefined) return [...exact]
    const around = this.#around(network, ip)
    const narrowest = Math.max(...around.map(({ vip }) => vip.cidr.length))
    return around.filter(({ vip }) => vip.cidr.length === narrowest).map(({ service }) => service)
  }

  /** Those of one length in the order they came; only they can be of equal rank. */
  #around(network: string, ip: Ip): readonly CidrEntry[] {
    const found: CidrEntry[] = []
    this.#networks.get(network)?.collect(ip, found)
    return found
  }
}

interface CidrEntry {
  readonly vip: CidrVip
  readonly service: Service
}

/** Whether clients of the namespace may know of the service. */
export function isVisible(service: Service, clientNamespace: string): boolean {
  return service.visibility === 'Public' || service.namespace === clientNamespace
}

function own(service: Service, namespace: string): number {
  return Number(service.namespace === namespace)
}

/** The first item with the greatest rank, compared number by number; items without a rank do not take part. */
export function bestOf<T>(items: Iterable<T>, rankOf: (item: T) => readonly number[] | undefined): T | undefined {
  let best: T | undefined
  let bestRank: readonly number[] | undefined
  for (const item of items) {
    const rank = rankOf(item)
    if (rank === undefined || (bestRank !== undefined && !isGreater(rank, bestRank))) continue
    best = item
    bestRank = rank
  }
  return best
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, i) => value !== b[i])
  return index >= 0 && (a[index] ?? 0) > (b[index] ?? 0)
}

export function addTo<K, V>(index: Map<K, Set<V>>, key: K, value: V): void {
  const held = index.get(key)
  if (held === undefined) index.set(key, new Set([value]))
  else held.add(value)
}

export function removeFrom<K, V>(index: Map<K, Set<V>>, key: K, test: (value: V) => boolean): void {
  const held = index.get(key)
  if (held === undefined) return
  for (const value of held) if (test(value)) held.delete(value)
  if (held.size === 0) index.delete(key)
}
