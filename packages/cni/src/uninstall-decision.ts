import { type Logger, messageOf } from '@ambit/core'
import { KINDS, type KubeClient, type KubeObject } from '@ambit/kube'

import { UNINSTALL_CHECK_MS } from './limits.ts'

const DAEMON_SET = 'istio-cni-node'

interface DaemonSet extends KubeObject {
  readonly spec?: {
    readonly template?: { readonly spec?: { readonly nodeSelector?: Readonly<Record<string, string>> } }
  }
}

/**
 * Whether this stop is for good. A restart or upgrade must leave everything in place, or new pods would start
 * uncaptured; so must a stop whose reason cannot be found out.
 */
export async function isUninstall(
  client: KubeClient,
  { namespace, nodeName, logger }: { namespace: string; nodeName: string; logger: Logger },
): Promise<boolean> {
  const signal = AbortSignal.timeout(UNINSTALL_CHECK_MS)
  try {
    const daemonSet = await client.get<DaemonSet>(KINDS.daemonSet, { namespace, name: DAEMON_SET }, signal)
    if (daemonSet === undefined || daemonSet.metadata.deletionTimestamp !== undefined) return true
    const wanted = Object.entries(daemonSet.spec?.template?.spec?.nodeSelector ?? {})
    if (wanted.length === 0) return false
    const node = await client.get(KINDS.node, { name: nodeName }, signal)
    return node !== undefined && wanted.some(([key, value]) => node.metadata.labels?.[key] !== value)
  } catch (error) {
    logger.warn('reason of the stop is unknown, leaving the CNI plugin in place', { error: messageOf(error) })
    return false
  }
}
