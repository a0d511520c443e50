import { parseAllDocuments } from 'yaml'
import type { RenderedFile } from './chart.types.ts'
import { ChartError } from './errors.ts'

/** A Kubernetes object of a rendered file. */
export interface ManifestObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [key: string]: unknown
}

/** The order Helm installs kinds in; what others refer to comes first. Kinds it doesn't name come last. */
const INSTALL_ORDER = [
  'PriorityClass',
  'Namespace',
  'NetworkPolicy',
  'ResourceQuota',
  'LimitRange',
  'PodDisruptionBudget',
  'ServiceAccount',
  'Secret',
  'ConfigMap',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'Service',
  'DaemonSet',
  'Pod',
  'ReplicaSet',
  'Deployment',
  'HorizontalPodAutoscaler',
  'StatefulSet',
  'Job',
  'CronJob',
  'Ingress',
]

/** The objects of rendered files, in the order they are installed. */
export function manifestObjects(files: readonly RenderedFile[]): readonly ManifestObject[] {
  const rank = (object: ManifestObject): number => {
    const at = INSTALL_ORDER.indexOf(object.kind)
    return at < 0 ? INSTALL_ORDER.length : at
  }
  return files.flatMap(objectsOf).toSorted((a, b) => rank(a) - rank(b))
}

function objectsOf(file: RenderedFile): readonly ManifestObject[] {
  return parseAllDocuments(file.text).flatMap((document) => {
    const [problem] = document.errors
    if (problem !== undefined) throw new ChartError(`${file.path} renders to no valid YAML: ${problem.message}`)
    const value: unknown = document.toJS({ maxAliasCount: -1 })
    if (value === null || value === undefined) return []
    if (!isObject(value))
      throw new ChartError(`${file.path} renders to a document without apiVersion, kind or metadata.name`)
    return [value]
  })
}

function isObject(value: unknown): value is ManifestObject {
  if (typeof value !== 'object' || value === null) return false
  const { apiVersion, kind, metadata } = value as { apiVersion?: unknown; kind?: unknown; metadata?: unknown }
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return false
  return typeof metadata === 'object' && metadata !== null && typeof (metadata as { name?: unknown }).name === 'string'
}
