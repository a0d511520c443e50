import type { ClusterView } from './cluster.types.ts'
import type { CniAddEvent } from './cni-add-event.ts'
import { podKey } from './pod-facts.ts'
import type { PodNetnsCache } from './pod-netns-cache.ts'
import { isRedirected } from './redirection.ts'

export interface CniCheckComponents {
  readonly view: Pick<ClusterView, 'podNamed'>
  readonly cache: Pick<PodNetnsCache, 'get'>
}

/**
 * Serves the runtime's CHECK: a pod that ztunnel serves must have its rules. One that is not served is in order, too: either
 * it is not to be, or the agent is at it already.
 */
export async function checkPodRules(
  event: CniAddEvent,
  { view, cache }: CniCheckComponents,
): Promise<string | undefined> {
  const pod = view.podNamed(event.podNamespace, event.podName)
  if (pod === undefined || (event.podUid !== undefined && pod.uid !== event.podUid)) return undefined
  const held = cache.get(pod.uid)
  if (held?.netns === undefined || held.leaving) return undefined
  if (await isRedirected(held.netns)) return undefined
  return `${podKey(pod)} is in the mesh, and its redirection rules are gone; delete the pod to have it made anew`
}
