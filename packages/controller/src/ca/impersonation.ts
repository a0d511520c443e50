import type { SpiffeId } from '@ambit/core'
import type { TokenCaller } from '@ambit/kube'
import type { Pod } from '../domain.types.ts'

/** Pods as the cache knows them, with the API server to ask when the cache may lag behind. */
export interface PodLookup {
  cached(namespace: string, name: string): Pod | undefined
  cachedIn(namespace: string): Iterable<Pod>
  live(namespace: string, name: string): Promise<Pod | undefined>
  liveOnNode(namespace: string, node: string): Promise<readonly Pod[]>
}

export type ImpersonationVerdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string }

/**
 * Whether a node proxy may have a certificate for an identity: only a trusted account, only from its very pod, and
 * only for identities of pods on its own node. A stolen token is worth no more than the node it came from.
 */
export async function authorizeImpersonation(
  caller: TokenCaller,
  wanted: SpiffeId,
  trustedAccounts: readonly string[],
  pods: PodLookup,
): Promise<ImpersonationVerdict> {
  const refuse = (reason: string): ImpersonationVerdict => ({ allowed: false, reason })
  const account = `${caller.namespace}/${caller.serviceAccount}`
  if (!trustedAccounts.includes(account)) return refuse(`${account} is not among CA_TRUSTED_NODE_ACCOUNTS`)
  if (!caller.podName || !caller.podUid) return refuse(`the token of ${account} is not bound to a pod`)
  const name = `${caller.namespace}/${caller.podName}`
  const known = pods.cached(caller.namespace, caller.podName)
  // A pod just made, or made again under the same name, may not have reached the cache yet.
  const pod = known?.uid === caller.podUid && known.node ? known : await pods.live(caller.namespace, caller.podName)
  if (pod === undefined) return refuse(`pod ${name} does not exist`)
  if (pod.uid !== caller.podUid) return refuse(`pod ${name} is not the one the token was made for`)
  if (pod.serviceAccount !== caller.serviceAccount) return refuse(`pod ${name} runs as ${pod.serviceAccount}`)
  if (!pod.node) return refuse(`pod ${name} runs on no node`)
  if (hasWorkload(pods.cachedIn(wanted.namespace), wanted, pod.node)) return { allowed: true }
  if (hasWorkload(await pods.liveOnNode(wanted.namespace, pod.node), wanted, pod.node)) return { allowed: true }
  return refuse(`no pod of ${wanted.namespace}/${wanted.serviceAccount} runs on node ${pod.node}`)
}

function hasWorkload(pods: Iterable<Pod>, wanted: SpiffeId, node: string): boolean {
  for (const pod of pods)
    if (!pod.failed && pod.node === node && pod.serviceAccount === wanted.serviceAccount) return true
  return false
}
