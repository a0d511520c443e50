import { type Ip, ipFamily, type Logger } from '@ambit/core'
import { KINDS, type KubeObject, type ReadonlyObjectSet, type StatusWriter } from '@ambit/kube'
import type { ServiceEntry } from '../domain.types.ts'
import { decodeServiceEntry } from '../watch/decode-service-entry.ts'
import { parseBool } from '../watch/json.ts'
import { allocate, POOL_V4, POOL_V6 } from './address-pool.ts'

const FIELD_MANAGER = 'istio-ip-autoallocate'
const ENABLE_LABEL = 'networking.istio.io/enable-autoallocate-ip'

/** Hosts of the entry that are to get addresses; none when it has its own, or its traffic needs none. */
export function hostsToAllocate(entry: ServiceEntry): readonly string[] {
  if (entry.addresses.length > 0 || entry.resolution === 'NONE') return []
  if (parseBool(entry.labels[ENABLE_LABEL]) === false) return []
  return entry.hosts.filter((host) => !host.startsWith('*') || entry.resolution === 'DYNAMIC_DNS')
}

/** Leader's work: ServiceEntries without addresses get one of each family for each host, written to their status. */
export function keepAllocated(
  parts: {
    readonly entries: ReadonlyObjectSet<KubeObject>
    /** Entries of other control planes keep their addresses, and get none from here. */
    readonly covers: (entry: KubeObject) => boolean
    readonly writer: StatusWriter
    readonly logger: Logger
  },
  signal: AbortSignal,
): void {
  const owners = new Map<Ip, string>()
  const hold = (entry: ServiceEntry): void => {
    for (const { ip } of [...entry.addresses, ...entry.allocated]) owners.set(ip, keyOf(entry))
  }
  // Everything in use is known before the first address is given out.
  for (const object of parts.entries) hold(decodeServiceEntry(object))
  const take = (object: KubeObject): void => {
    const entry = decodeServiceEntry(object)
    hold(entry)
    if (!parts.covers(object)) return
    const addresses = allocationOf(entry, owners, parts.logger)
    if (addresses === undefined) return
    const { namespace, name } = entry
    parts.writer.write({
      kind: KINDS.serviceEntry,
      namespace,
      name,
      fieldManager: FIELD_MANAGER,
      uid: object.metadata.uid,
      status: { addresses },
    })
  }
  const free = (object: KubeObject): void => {
    const entry = decodeServiceEntry(object)
    for (const [address, owner] of owners) if (owner === keyOf(entry)) owners.delete(address)
    parts.writer.forget({ ...entry, kind: KINDS.serviceEntry, fieldManager: FIELD_MANAGER })
  }
  const subscription = parts.entries.subscribe({ add: take, update: take, delete: free })
  signal.addEventListener('abort', () => subscription[Symbol.dispose](), { once: true })
}

interface Allocated {
  readonly value: string
  readonly host: string
}

/** Undefined when the entry has what it needs. Addresses it has are kept. */
function allocationOf(entry: ServiceEntry, owners: Map<Ip, string>, logger: Logger): readonly Allocated[] | undefined {
  const wanted = hostsToAllocate(entry)
  let changed = false
  const addresses = wanted.flatMap((host) =>
    ([4, 6] as const).flatMap((family) => {
      const present = entry.allocated.find((one) => one.host === host && ipFamily(one.ip) === family)
      if (present !== undefined) return [{ value: present.ip, host }]
      const address = allocate(family === 4 ? POOL_V4 : POOL_V6, `${keyOf(entry)}/${host}`, (ip) => owners.has(ip))
      if (address === undefined) {
        logger.error('no free address left for a ServiceEntry: give it spec.addresses', { entry: keyOf(entry), host })
        return []
      }
      changed = true
      owners.set(address, keyOf(entry))
      return [{ value: address, host }]
    }),
  )
  return changed ? addresses : undefined
}

function keyOf(entry: ServiceEntry): string {
  return `${entry.namespace}/${entry.name}`
}
