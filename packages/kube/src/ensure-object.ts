import { statusOf } from './errors.ts'
import type { KubeClient } from './kube-client.ts'
import type { KubeObject, ResourceKind } from './object.types.ts'

/**
 * Creates the object when there is none; otherwise lets `repair` say what is wrong with the one there (undefined when
 * nothing). Races with other writers are settled by trying again on what is there then.
 */
export async function ensureObject<T extends KubeObject>(
  client: Pick<KubeClient, 'get' | 'create' | 'update'>,
  kind: ResourceKind,
  wanted: T,
  repair: (present: T) => T | undefined,
  signal?: AbortSignal,
): Promise<T> {
  const at = { namespace: wanted.metadata.namespace, name: wanted.metadata.name }
  for (let attempt = 1; ; attempt++) {
    try {
      const present = await client.get<T>(kind, at, signal)
      if (present === undefined) return await client.create(kind, wanted, signal)
      const repaired = repair(present)
      if (repaired === undefined) return present
      return await client.update(kind, repaired, signal === undefined ? {} : { signal })
    } catch (error) {
      // 409: another writer created or changed it between our two requests.
      if (statusOf(error) !== 409 || attempt === 5) throw error
    }
  }
}
