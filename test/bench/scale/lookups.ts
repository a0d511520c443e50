import { TYPE_URLS } from '../../../packages/api/src/index.ts'
import { ip, systemClock } from '../../../packages/core/src/index.ts'
import { WorkloadStore } from '../../../packages/state/src/index.ts'
import { addressBytes, serviceResource } from '../../../packages/testing/src/index.ts'
import { hostnameOf, type MeshSize, meshTable, namespaceOf, podIpOf, vipOf } from './mesh-resources.ts'
import { perCallUs } from './per-call.ts'

export type Lookup = 'VIP' | 'pod address' | 'unknown address' | 'address in a CIDR' | 'hostname'

/** CPU of a look-up, microseconds, in a full mesh with as many ServiceEntries of address ranges as asked for. */
export function measureLookups(size: MeshSize, ranges: number, budgetMs: number): ReadonlyMap<Lookup, number> {
  const store = new WorkloadStore({ clock: systemClock })
  store.apply({ upserts: [...meshTable(size).snapshot(TYPE_URLS.address).values()], removed: [] })
  const upserts = Array.from({ length: ranges }, (_, index) => range(index))
  store.apply({ upserts, removed: [] })
  const asked = Array.from({ length: 256 }, (_, i) => ({
    vip: ip(vipOf(Math.floor((i * size.services) / 256))),
    pod: ip(podIpOf(Math.floor((i * size.pods) / 256))),
    none: ip(`192.168.${i}.1`),
    inRange: ip(`172.${16 + (i % 4)}.${Math.floor((i * ranges) / 1024) % 256}.9`),
    hostname: hostnameOf(i % size.services),
    namespace: namespaceOf(i % size.services),
  }))
  const ask = (look: (one: (typeof asked)[number]) => boolean) =>
    perCallUs((round) => {
      const one = asked[round & 255]
      if (one !== undefined && !look(one)) throw new Error('not found')
    }, budgetMs)
  return new Map<Lookup, number>([
    ['VIP', ask(({ vip }) => store.serviceByVip('', vip, 'team-1') !== undefined)],
    ['pod address', ask(({ pod }) => store.workloadByIp('', pod) !== undefined)],
    ['unknown address', ask(({ none }) => store.serviceByVip('', none, 'team-1') === undefined)],
    ['address in a CIDR', ask(({ inRange }) => store.serviceByVip('', inRange, 'team-1') !== undefined)],
    ['hostname', ask(({ hostname }) => store.serviceByHostname(hostname, 'team-1') !== undefined)],
  ])
}

/** A ServiceEntry for one /24 of 172.16/12. */
function range(index: number): { readonly name: string; readonly bytes: Uint8Array } {
  return serviceResource({
    name: `range-${index}`,
    namespace: 'external',
    hostname: `range-${index}.example`,
    addresses: [{ network: '', address: addressBytes(`172.${16 + (index % 4)}.${(index >> 2) % 256}.0`), length: 24 }],
    ports: [{ servicePort: 443, targetPort: 443 }],
  })
}
