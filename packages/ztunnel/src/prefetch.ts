import { formatSpiffeId, type SpiffeId, sameSpiffeId } from '@ambit/core'
import type { Workload, WorkloadStore } from '@ambit/state'

export interface CertificateDemand {
  prefetch(identity: SpiffeId): void
  forget(identity: SpiffeId): void
}

export interface PrefetchOptions {
  /** Only workloads of this node have certificates here. */
  readonly nodeName: string
  /** Identities that stay although no workload has them. */
  readonly keep: readonly SpiffeId[]
}

/**
 * Keeps certificates for the identities of this node's captured workloads: fetched when the first workload with an identity
 * appears, forgotten when the last one goes.
 */
export function followIdentities(
  store: WorkloadStore,
  demand: CertificateDemand,
  options: PrefetchOptions,
): Disposable {
  const byUid = new Map<string, SpiffeId>()
  const users = new Map<string, number>()
  const kept = new Set(options.keep.map(formatSpiffeId))

  const acquire = (uid: string, identity: SpiffeId): void => {
    const key = formatSpiffeId(identity)
    byUid.set(uid, identity)
    users.set(key, (users.get(key) ?? 0) + 1)
    if (users.get(key) === 1) demand.prefetch(identity)
  }
  const release = (uid: string, identity: SpiffeId): void => {
    const key = formatSpiffeId(identity)
    byUid.delete(uid)
    const left = (users.get(key) ?? 1) - 1
    if (left > 0) {
      users.set(key, left)
      return
    }
    users.delete(key)
    if (!kept.has(key)) demand.forget(identity)
  }
  const update = (uid: string): void => {
    const wanted = identityToHold(store.workload(uid), options.nodeName)
    const held = byUid.get(uid)
    if (held !== undefined && wanted !== undefined && sameSpiffeId(held, wanted)) return
    if (held !== undefined) release(uid, held)
    if (wanted !== undefined) acquire(uid, wanted)
  }
  for (const workload of store.workloads()) update(workload.uid)
  return store.subscribe((change) => {
    for (const uid of new Set(change.workloads)) update(uid)
  })
}

function identityToHold(workload: Workload | undefined, nodeName: string): SpiffeId | undefined {
  if (workload === undefined || workload.node !== nodeName) return undefined
  return workload.protocol === 'HBONE' || workload.nativeTunnel ? workload.identity : undefined
}
