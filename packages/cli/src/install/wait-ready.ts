import type { ManifestObject } from '@ambit/chart'
import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { NotReadyError } from '../errors.ts'
import { asObject, asText } from '../json.ts'
import { READINESS_POLL_MS } from '../limits.ts'
import { hasReadiness, notReadyReason, podTrouble } from './readiness.ts'

/** Waits until each of the objects is ready; at the deadline it says what is missing. */
export async function waitReady(
  cluster: Cluster,
  context: Context,
  objects: readonly ManifestObject[],
  deadline: number,
): Promise<void> {
  for (const object of objects.filter(hasReadiness)) {
    for (;;) {
      const reason = await whyNotReady(cluster, object)
      if (reason === undefined) break
      if (context.now() >= deadline) throw await notReadyError(cluster, object, reason)
      await context.sleep(READINESS_POLL_MS)
    }
  }
}

/** Why an object that was applied is not what it should be yet; undefined when it is. */
export async function whyNotReady(cluster: Cluster, object: ManifestObject): Promise<string | undefined> {
  const { apiVersion, kind, metadata } = object
  const current = await cluster.read({ apiVersion, kind, name: metadata.name, namespace: metadata.namespace })
  if (current === undefined) return 'not there'
  if (!hasReadiness(object)) return undefined
  return notReadyReason({ ...current, kind }) ?? (await oldPods(cluster, current, kind))
}

/** A DaemonSet that surges counts a node as available while its old pod still is: the new ones are looked at themselves. */
async function oldPods(cluster: Cluster, set: ClusterObject, kind: string): Promise<string | undefined> {
  if (kind !== 'DaemonSet') return undefined
  const labels = asObject(asObject(asObject(set['spec'])['selector'])['matchLabels'])
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${asText(value)}`)
    .join(',')
  const pods = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace: set.metadata.namespace, labelSelector })
  const living = pods.filter(({ metadata }) => asText(asObject(metadata)['deletionTimestamp']) === '')
  const wanted = Number(asObject(set['status'])['desiredNumberScheduled'] ?? 0)
  if (living.length > wanted) return `${living.length - wanted} old pods have not gone yet`
  return living.map(podTrouble).find((trouble) => trouble !== undefined)
}

async function notReadyError(cluster: Cluster, object: ManifestObject, reason: string): Promise<NotReadyError> {
  const { name, namespace } = object.metadata
  const pods = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace })
  const troubles = pods.filter((pod) => pod.metadata.name.startsWith(`${name}-`)).map(podTrouble)
  const detail = troubles.filter((trouble) => trouble !== undefined).map((trouble) => `\n  ${trouble}`)
  return new NotReadyError(
    `${object.kind} ${name} did not become ready in time: ${reason}${detail.join('')}\n` +
      `Next: kubectl -n ${namespace} describe pods; kubectl -n ${namespace} logs ${object.kind.toLowerCase()}/${name}`,
  )
}
