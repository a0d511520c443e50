import { KINDS, type KubeClient } from '@ambit/kube'
import type { Pod } from '../domain.types.ts'
import type { Collection } from '../index/collection.ts'
import { decodePod } from '../watch/decode-pod.ts'
import type { PodLookup } from './impersonation.ts'

/** The index's pods first, the API server where they are not enough. */
export function podLookup(pods: Collection<Pod>, client: KubeClient): PodLookup {
  return {
    cached: (namespace, name) => pods.get(namespace, name),
    cachedIn: (namespace) => pods.in(namespace),
    async live(namespace, name) {
      const object = await client.get(KINDS.pod, { namespace, name })
      return object === undefined ? undefined : decodePod(object)
    },
    async liveOnNode(namespace, node) {
      const { items } = await client.list(KINDS.pod, { namespace, fieldSelector: `spec.nodeName=${node}` })
      return items.map(decodePod)
    },
  }
}
