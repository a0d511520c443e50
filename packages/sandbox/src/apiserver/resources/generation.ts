import type { KubeObject } from '../contract.types.ts'
import type { ResourceDefinition } from './resource-definition.ts'

/** Everything but metadata, status and type: what `generation` counts changes of. */
export function content(object: KubeObject): Record<string, unknown> {
  const { metadata: _metadata, apiVersion: _apiVersion, status: _status, ...rest } = object
  return rest
}

const WITHOUT_GENERATION = new Set([
  'ConfigMap',
  'Secret',
  'Event',
  'Lease',
  'ServiceAccount',
  'Namespace',
  'Node',
  'Service',
  'Endpoints',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'ResourceQuota',
  'LimitRange',
  'ControllerRevision',
  'HorizontalPodAutoscaler',
  'Role',
  'RoleBinding',
  'ClusterRole',
  'ClusterRoleBinding',
  'StorageClass',
  'RuntimeClass',
])

/** Whether a kind counts changes of its content. */
export function hasGeneration(definition: ResourceDefinition): boolean {
  return !WITHOUT_GENERATION.has(definition.kind)
}
