import type { Deployment, ReplicaSet } from '../objects/cluster.types.ts'
import type { Condition } from '../objects/pod.types.ts'
import { conditionOf, nextConditions } from './conditions.ts'
import { boundsOf, isRecreate } from './deployment-sets.ts'

const DEFAULT_PROGRESS_S = 600
/** Kubernetes' word for a Deployment without a deadline. */
const NO_DEADLINE_S = 2_147_483_647

export interface DeploymentStatus {
  readonly replicas: number
  readonly updatedReplicas: number
  readonly readyReplicas: number
  readonly availableReplicas: number
  readonly unavailableReplicas: number
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
}

/** The status of a Deployment from its sets; what `kubectl rollout status` reads. */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  nowIso: string,
  nowMs: number,
): DeploymentStatus {
  const sets = current === undefined ? old : [current, ...old]
  const sum = (field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number =>
    sets.reduce((total, set) => total + (set.status?.[field] ?? 0), 0)
  const replicas = deployment.spec.replicas ?? 1
  const total = sum('replicas')
  const counts = {
    replicas: total,
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum('readyReplicas'),
    availableReplicas: sum('availableReplicas'),
  }
  const unavailable = isRecreate(deployment) ? 0 : boundsOf(deployment).unavailable
  const failure = sets.flatMap((set) => conditionOf(set.status?.conditions, 'ReplicaFailure') ?? [])[0]
  const progressing = progress(deployment, current, counts, nowMs)
  const wanted: Condition[] = [
    counts.availableReplicas >= replicas - unavailable ? AVAILABLE : UNAVAILABLE,
    ...(progressing === undefined ? [] : [progressing]),
    ...(failure === undefined ? [] : [failure]),
  ]
  const before = (deployment.status?.conditions ?? []).map((condition) =>
    // Any step ahead restarts the deadline, though the condition says the same as before.
    condition.type === 'Progressing' && condition.reason === UPDATED && hasProgressed(deployment, counts)
      ? { ...condition, lastUpdateTime: nowIso }
      : condition,
  )
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...counts,
    unavailableReplicas: Math.max(0, Math.max(replicas, total) - counts.availableReplicas),
    conditions: nextConditions(before, wanted, nowIso, { drop: ['ReplicaFailure'], stamp: 'lastUpdateTime' }),
  }
}

/** Milliseconds until the deadline passes if nothing moves; undefined when none runs. */
export function msToDeadline(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const progressing = conditionOf(status.conditions, 'Progressing')
  const deadlineS = deployment.spec.progressDeadlineSeconds ?? DEFAULT_PROGRESS_S
  if (progressing?.status !== 'True' || progressing.reason === COMPLETE || deadlineS === NO_DEADLINE_S) return undefined
  // The condition's times are whole seconds.
  return Math.max(0, Date.parse(progressing.lastUpdateTime ?? '') + (deadlineS + 1) * 1000 - nowMs)
}

const AVAILABLE: Condition = {
  type: 'Available',
  status: 'True',
  reason: 'MinimumReplicasAvailable',
  message: 'Deployment has minimum availability.',
}
const UNAVAILABLE: Condition = {
  type: 'Available',
  status: 'False',
  reason: 'MinimumReplicasUnavailable',
  message: 'Deployment does not have minimum availability.',
}
const COMPLETE = 'NewReplicaSetAvailable'
const UPDATED = 'ReplicaSetUpdated'

type Counts = Pick<DeploymentStatus, 'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'>

export function isComplete(deployment: Deployment, counts: Counts): boolean {
  const replicas = deployment.spec.replicas ?? 1
  return counts.updatedReplicas === replicas && counts.replicas === replicas && counts.availableReplicas >= replicas
}

function hasProgressed(deployment: Deployment, counts: Counts): boolean {
  const before = deployment.status
  const [replicas = 0, updated = 0] = [before?.replicas, before?.updatedReplicas]
  return (
    counts.updatedReplicas > updated ||
    counts.replicas - counts.updatedReplicas < replicas - updated ||
    counts.readyReplicas > (before?.readyReplicas ?? 0) ||
    counts.availableReplicas > (before?.availableReplicas ?? 0)
  )
}

function progress(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  counts: Counts,
  nowMs: number,
): Condition | undefined {
  const type = 'Progressing'
  const before = conditionOf(deployment.status?.conditions, type)
  if (deployment.spec.paused === true) {
    // A rollout that timed out stays so while paused.
    if (before?.reason === 'ProgressDeadlineExceeded') return undefined
    return { type, status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }
  }
  const name = current?.metadata.name ?? deployment.metadata.name ?? ''
  if (isComplete(deployment, counts)) {
    const message = `ReplicaSet "${name}" has successfully progressed.`
    return { type, status: 'True', reason: COMPLETE, message }
  }
  const deadlineS = deployment.spec.progressDeadlineSeconds ?? DEFAULT_PROGRESS_S
  const going: Condition = { type, status: 'True', reason: UPDATED, message: `ReplicaSet "${name}" is progressing.` }
  if (before === undefined || before.reason === 'DeploymentPaused') return going
  // Once complete, a rollout doesn't time out because pods of it fail later; a new one begins with a new set.
  if (before.reason === COMPLETE) return before.message?.includes(`"${name}"`) === true ? undefined : going
  if (hasProgressed(deployment, counts)) return going
  const timedOut: Condition = {
    type,
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: `ReplicaSet "${name}" has timed out progressing.`,
  }
  const sameSet = before.message?.includes(`"${name}"`) === true
  if (before.reason === 'ProgressDeadlineExceeded') return sameSet ? timedOut : going
  const since = sameSet ? Date.parse(before.lastUpdateTime ?? '') : nowMs
  return deadlineS !== NO_DEADLINE_S && nowMs - since > deadlineS * 1000 ? timedOut : going
}
