import { LABELS } from '@ambit/api'
import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import { WaypointError } from '../errors.ts'
import type { Flags } from '../grammar/command.types.ts'

/** The namespace a waypoint command is about: `-n`, else the kubeconfig's. */
export function namespaceOf(flags: Flags, cluster: Cluster): string {
  return flags.text('namespace') || cluster.currentNamespace
}

export async function readNamespace(cluster: Cluster, name: string): Promise<ClusterObject> {
  const found = await cluster.read({ apiVersion: 'v1', kind: 'Namespace', name })
  if (found === undefined) throw new WaypointError(`namespace: ${name} not found`)
  return found
}

/** Does ztunnel refuse traffic of this namespace that should pass a waypoint which is not there? */
export function requiresWaypoint(namespace: ClusterObject): boolean {
  return namespace.metadata.labels?.[LABELS.requireWaypoint] === 'true'
}

/** How to make a missing waypoint fail closed. */
export function howToRequire(namespace: string): string {
  return `kubectl label namespace ${namespace} ${LABELS.requireWaypoint}=true makes ztunnel refuse it instead`
}
