import type { KubeObject } from '../apiserver/contract.types.ts'
import type { Deployment, PodTemplate, ReplicaSet } from '../objects/cluster.types.ts'
import { ownerReference, templateHash } from './ownership.ts'
import { rolloutBounds } from './rollout.ts'

const HASH = 'pod-template-hash'
export const REVISION = 'deployment.kubernetes.io/revision'
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history'
const DESIRED = 'deployment.kubernetes.io/desired-replicas'
const MAX = 'deployment.kubernetes.io/max-replicas'

/** Annotations of a Deployment that its sets don't take over. */
const OWN_ANNOTATIONS = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED,
  MAX,
  'deprecated.deployment.rollback.to',
])

export function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0) || 0
}

export function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  return (
    revisionOf(a) - revisionOf(b) ||
    (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '')
  )
}

export function sizeOf(set: ReplicaSet): number {
  return set.spec.replicas ?? 0
}

const hashes = new WeakMap<PodTemplate, string>()

/** Hash of a template without the label that a hash has put there. */
function plainHash(template: PodTemplate): string {
  let hash = hashes.get(template)
  if (hash === undefined) {
    const { [HASH]: _, ...labels } = template.metadata?.labels ?? {}
    hash = templateHash({ ...template, metadata: { ...template.metadata, labels } })
    hashes.set(template, hash)
  }
  return hash
}

/** The set that has the template of the Deployment; the oldest of several. */
export function setOfTemplate(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = plainHash(deployment.spec.template)
  return sets
    .filter((set) => plainHash(set.spec.template) === wanted)
    .toSorted((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))[0]
}

/** The ReplicaSet of the Deployment's template. */
export function newSet(deployment: Deployment, revision: number, replicas: number): KubeObject {
  const { name, namespace } = deployment.metadata
  const { minReadySeconds, selector, template } = deployment.spec
  const collisions = deployment.status?.collisionCount ?? 0
  const hash = templateHash(template, collisions)
  const labels = { ...template.metadata?.labels, [HASH]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: setAnnotations(deployment, undefined, revision),
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
}

/** Annotations that the present set of a Deployment is to have. */
export function setAnnotations(
  deployment: Deployment,
  set: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const taken = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.has(key))
  const before = set?.metadata.annotations ?? {}
  const old = before[REVISION]
  const history = [before[REVISION_HISTORY], old === String(revision) ? undefined : old].filter(Boolean).join(',')
  return {
    ...before,
    ...Object.fromEntries(taken),
    [REVISION]: String(revision),
    ...(history === '' ? {} : { [REVISION_HISTORY]: history }),
    ...sizeAnnotations(deployment),
  }
}

/** What a set remembers of the Deployment's size, to be scaled in proportion later. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const replicas = deployment.spec.replicas ?? 1
  return { [DESIRED]: String(replicas), [MAX]: String(replicas + surgeOf(deployment)) }
}

export function maxBefore(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[MAX] ?? 0) || 0
}

/** Whether the Deployment was scaled since the set was sized. */
export function sizedForAnother(deployment: Deployment, set: ReplicaSet): boolean {
  const desired = set.metadata.annotations?.[DESIRED]
  return sizeOf(set) > 0 && desired !== undefined && Number(desired) !== (deployment.spec.replicas ?? 1)
}

export function surgeOf(deployment: Deployment): number {
  return isRecreate(deployment) ? 0 : boundsOf(deployment).surge
}

export function boundsOf(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {}
  return rolloutBounds(deployment.spec.replicas ?? 1, maxSurge, maxUnavailable)
}

export function isRecreate(deployment: Deployment): boolean {
  return deployment.spec.strategy?.type === 'Recreate'
}
