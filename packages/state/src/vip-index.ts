import type { Ip } from '@ambit/core'
import { cidrContains } from '@ambit/core'
import type { CidrVip, Service } from './workload.types.ts'

/** Which services answer to an address. */
export class VipIndex {
  readonly #exact = new Map<string, Set<Service>>()
  readonly #networks = new Map<string, Set<CidrEntry>>()

  add(service: Service): void {
    for (const vip of service.vips) addTo(this.#exact, `${vip.network}/${vip.ip}`, service)
    for (const vip of service.cidrVips) addTo(this.#networks, vip.network, { vip, service })
  }

  remove(service: Service): void {
    for (const vip of service.vips) removeFrom(this.#exact, `${vip.network}/${vip.ip}`, (held) => held === service)
    for (const vip of service.cidrVips) removeFrom(this.#networks, vip.network, (held) => held.service === service)
  }

  /**
   * The service a client of the namespace means by the address. Services hidden from it do not exist; then its own
   * namespace, then Kubernetes Services, then whoever came first. Ranges only count when no exact address does.
   */
  find(network: string, ip: Ip, clientNamespace: string): Service | undefined {
    const exact = bestOf(this.#exact.get(`${network}/${ip}`) ?? [], (service) =>
      isVisible(service, clientNamespace) ? [own(service, clientNamespace), Number(service.canonical)] : undefined,
    )
    if (exact !== undefined) return exact
    return bestOf(this.#networks.get(network) ?? [], ({ vip, service }) =>
      isVisible(service, clientNamespace) && cidrContains(vip.cidr, ip)
        ? [own(service, clientNamespace), vip.cidr.length, Number(service.canonical)]
        : undefined,
    )?.service
  }

  /** All services of an address, whoever may see them: those that name it, else those of the narrowest range around it. */
  all(network: string, ip: Ip): readonly Service[] {
    const exact = this.#exact.get(`${network}/${ip}`)
    if (exact !== undefined) return [...exact]
    const around = [...(this.#networks.get(network) ?? [])].filter(({ vip }) => cidrContains(vip.cidr, ip))
    const narrowest = Math.max(...around.map(({ vip }) => vip.cidr.length))
    return around.filter(({ vip }) => vip.cidr.length === narrowest).map(({ service }) => service)
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
