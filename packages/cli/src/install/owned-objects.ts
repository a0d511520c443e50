import type { Cluster, ClusterObject, ObjectReference } from '../cluster/cluster.types.ts'
import { isNotFound } from '../cluster/is-not-found.ts'

/** Kinds an installation may have, in the order they are removed: programs first, what they need afterwards. */
const KINDS: readonly (readonly [string, string])[] = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'DaemonSet'],
  ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration'],
  ['admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['policy/v1', 'PodDisruptionBudget'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['v1', 'Service'],
  ['v1', 'ConfigMap'],
  ['v1', 'ResourceQuota'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['v1', 'ServiceAccount'],
]

export interface OwnedObject {
  readonly reference: ObjectReference
  readonly labels: Readonly<Record<string, string>>
}

/** Everything in the cluster with these labels, whichever installation put it there. CRDs are never among them. */
export async function ownedObjects(cluster: Cluster, labelSelector: string): Promise<readonly OwnedObject[]> {
  const lists = KINDS.map(async ([apiVersion, kind]) => {
    const objects = await listOrNone(cluster, { apiVersion, kind, labelSelector })
    return objects.map(({ metadata }) => ({
      reference: { apiVersion, kind, name: metadata.name, namespace: metadata.namespace },
      labels: metadata.labels ?? {},
    }))
  })
  return (await Promise.all(lists)).flat()
}

/** A kind the cluster doesn't serve has no objects. */
async function listOrNone(
  cluster: Cluster,
  query: { readonly apiVersion: string; readonly kind: string; readonly labelSelector: string },
): Promise<readonly ClusterObject[]> {
  try {
    return await cluster.list(query)
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
}

/** As istioctl writes an object in its lines. */
export function describeObject({ kind, name, namespace }: ObjectReference): string {
  return `${kind}:${namespace ?? ''}:${name}`
}
