import type { ClusterObject } from '../cluster/cluster.types.ts'

/** Labels Istio's installer puts on everything it applies; pruning goes by them. */
export const COMPONENT_LABEL = 'operator.istio.io/component'
export const MANAGED_LABEL = 'operator.istio.io/managed'
const VERSION_LABEL = 'operator.istio.io/version'
const OWNER_LABEL = 'install.operator.istio.io/owning-resource'
const OWNER_NAMESPACE_LABEL = 'install.operator.istio.io/owning-resource-namespace'

export interface Ownership {
  readonly component: string
  readonly owner: string
  readonly namespace: string
  readonly version: string
}

export function withOwner(object: ClusterObject, by: Ownership): ClusterObject {
  const labels = {
    ...object.metadata.labels,
    [OWNER_LABEL]: by.owner,
    [OWNER_NAMESPACE_LABEL]: by.namespace,
    [COMPONENT_LABEL]: by.component,
    [MANAGED_LABEL]: 'Reconcile',
    [VERSION_LABEL]: by.version,
  }
  return { ...object, metadata: { ...object.metadata, labels } }
}
