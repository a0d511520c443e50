import { LIMITS } from '../limits.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { Job } from '../objects/workloads.types.ts'
import { isTrue } from './conditions.ts'
import { judgeFailure } from './job-failure-policy.ts'
import { formatIndexes, INDEX_FAILURES, indexOf, parseIndexes } from './job-indexes.ts'
import { isReady } from './ownership.ts'

/** Keeps an ended pod until its Job has counted it. */
export const TRACKING = 'batch.kubernetes.io/job-tracking'

export interface Verdict {
  readonly reason: string
  readonly message: string
}

export interface JobCounts {
  readonly active: number
  readonly ready: number
  readonly terminating: number
  readonly succeeded: number
  readonly failed: number
  readonly completedIndexes: string | undefined
  readonly failedIndexes: string | undefined
}

export interface JobPlan {
  readonly counts: JobCounts
  /** Ended pods that the counts hold and the Job's status not yet. */
  readonly counted: { readonly succeeded: readonly Pod[]; readonly failed: readonly Pod[] }
  /** Ended pods that are not to be counted at all. */
  readonly ignored: readonly Pod[]
  readonly complete: Verdict | undefined
  readonly failed: Verdict | undefined
  readonly remove: readonly Pod[]
  /** An index each for an indexed Job, else undefined as often as a pod is missing; with the failures of the index so far. */
  readonly create: readonly { readonly index: number | undefined; readonly failures: number }[]
  /** Look again after so long at the latest. */
  readonly againMs: number | undefined
}

function isIndexed(job: Job): boolean {
  return job.spec.completionMode === 'Indexed'
}

/** The next step of a Job that hasn't finished. */
export function planJob(job: Job, pods: readonly Pod[], nowMs: number): JobPlan {
  const { completions, parallelism = 1, suspend = false } = job.spec
  const status = job.status ?? {}
  const uncounted = status.uncountedTerminatedPods ?? {}
  const known = new Set([...(uncounted.succeeded ?? []), ...(uncounted.failed ?? [])])
  const tracked = pods.filter(
    ({ metadata }) => metadata.finalizers?.includes(TRACKING) && !known.has(metadata.uid ?? ''),
  )
  const newlySucceeded = tracked.filter(({ status }) => status?.phase === 'Succeeded')
  const newlyFailed = tracked.filter((pod) => hasFailed(job, pod))
  const judged = newlyFailed.map((pod) => ({ pod, verdict: judgeFailure(job, pod) }))
  const counting = judged.filter(({ verdict }) => verdict.action !== 'Ignore')
  const living = pods.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
  const active = living.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const indexes = isIndexed(job)
    ? indexState(
        job,
        pods,
        newlySucceeded,
        judged.map(({ pod }) => pod),
      )
    : undefined
  const counts: JobCounts = {
    active: active.length,
    ready: active.filter(isReady).length,
    terminating: living.length - active.length,
    // An index counts once, however many pods have completed it.
    succeeded: indexes === undefined ? (status.succeeded ?? 0) + newlySucceeded.length : indexes.completed.size,
    failed: (status.failed ?? 0) + counting.length,
    completedIndexes: indexes === undefined ? undefined : formatIndexes(indexes.completed),
    failedIndexes: indexes?.failed === undefined ? undefined : formatIndexes(indexes.failed),
  }
  const [deadlineMs, overdue] = deadlineOf(job, nowMs)
  const failed = isTrue(status.conditions, 'FailureTarget')
    ? conditionVerdict(job, 'FailureTarget')
    : failureOf(job, pods, counts, judged, indexes, overdue)
  const complete = failed === undefined ? completionOf(job, counts, indexes) : undefined
  const base = {
    counts,
    counted: { succeeded: newlySucceeded, failed: counting.map(({ pod }) => pod) },
    ignored: judged.filter(({ verdict }) => verdict.action === 'Ignore').map(({ pod }) => pod),
    complete,
    failed,
    againMs: deadlineMs,
  }
  if (failed !== undefined || complete !== undefined || suspend) return { ...base, remove: active, create: [] }

  const remaining =
    completions === undefined ? undefined : completions - counts.succeeded - (indexes?.failed?.size ?? 0)
  const wanted =
    remaining === undefined
      ? counts.succeeded > 0
        ? active.length
        : parallelism
      : Math.min(parallelism, Math.max(0, remaining))
  if (active.length > wanted) return { ...base, remove: surplus(active, active.length - wanted), create: [] }
  const holding = job.spec.podReplacementPolicy === 'Failed' ? counts.terminating : 0
  const missing = Math.min(wanted - active.length - holding, LIMITS.jobPodsAtOnce)
  if (missing <= 0) return { ...base, remove: [], create: [] }
  const waitMs = backoffMs(
    pods,
    counting.map(({ pod }) => pod),
    nowMs,
  )
  if (waitMs > 0) return { ...base, remove: [], create: [], againMs: Math.min(waitMs, deadlineMs ?? waitMs) }
  return { ...base, remove: [], create: newPods(missing, active, indexes, completions ?? 0) }
}

/** Whether a pod counts as failed: one that somebody deletes does too, unless only the end of it counts. */
function hasFailed(job: Job, pod: Pod): boolean {
  const { metadata, status } = pod
  if (status?.phase === 'Failed') return true
  if (status?.phase === 'Succeeded' || metadata.deletionTimestamp === undefined) return false
  // A grace of nothing: its node is done with it.
  return job.spec.podReplacementPolicy !== 'Failed' || metadata.deletionGracePeriodSeconds === 0
}

interface Indexes {
  readonly completed: ReadonlySet<number>
  /** Undefined without a limit of failures per index. */
  readonly failed: ReadonlySet<number> | undefined
  readonly failures: ReadonlyMap<number, number>
}

function indexState(job: Job, pods: readonly Pod[], succeeded: readonly Pod[], newlyFailed: readonly Pod[]): Indexes {
  const { backoffLimitPerIndex: limit } = job.spec
  const completions = Math.min(job.spec.completions ?? 0, LIMITS.jobIndexes)
  const completed = parseIndexes(job.status?.completedIndexes, completions)
  for (const pod of succeeded) {
    const index = indexOf(pod)
    if (index !== undefined && index < completions) completed.add(index)
  }
  const failures = new Map<number, number>()
  for (const pod of pods) {
    const index = indexOf(pod)
    if (index === undefined || !hasFailed(job, pod)) continue
    const ignored = judgeFailure(job, pod).action === 'Ignore' ? 0 : 1
    const count = (Number(pod.metadata.annotations?.[INDEX_FAILURES] ?? 0) || 0) + ignored
    failures.set(index, Math.max(failures.get(index) ?? 0, count))
  }
  if (limit === undefined) return { completed, failed: undefined, failures }
  const failed = parseIndexes(job.status?.failedIndexes, completions)
  for (const [index, count] of failures) if (count > limit) failed.add(index)
  for (const pod of newlyFailed) if (judgeFailure(job, pod).action === 'FailIndex') failed.add(indexOf(pod) ?? -1)
  failed.delete(-1)
  for (const index of completed) failed.delete(index)
  return { completed, failed, failures }
}

function conditionVerdict(job: Job, type: string): Verdict {
  const { message = '', reason = '' } = job.status?.conditions?.find((condition) => condition.type === type) ?? {}
  return { reason, message }
}

function failureOf(
  job: Job,
  pods: readonly Pod[],
  counts: JobCounts,
  judged: readonly { readonly verdict: ReturnType<typeof judgeFailure> }[],
  indexes: Indexes | undefined,
  overdue: boolean,
): Verdict | undefined {
  for (const { verdict } of judged)
    if (verdict.action === 'FailJob') return { reason: 'PodFailurePolicy', message: verdict.message }
  const { backoffLimit = 6, completions = 0, maxFailedIndexes } = job.spec
  if (indexes !== undefined && completions > LIMITS.jobIndexes)
    return {
      reason: 'TooManyIndexes',
      message: `the sandbox runs indexed Jobs of at most ${LIMITS.jobIndexes} completions`,
    }
  if (counts.failed > backoffLimit || tooManyRestarts(job, pods))
    return { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  if (overdue) return { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  const failed = indexes?.failed?.size ?? 0
  if (maxFailedIndexes !== undefined && failed > maxFailedIndexes)
    return {
      reason: 'MaxFailedIndexesExceeded',
      message: 'Job has exceeded the specified maximal number of failed indexes',
    }
  if (failed > 0 && failed + counts.succeeded >= completions && counts.active === 0)
    return { reason: 'FailedIndexes', message: 'Job has failed indexes' }
  return undefined
}

/** A pod that restarts its own containers never fails; its restarts count instead. */
function tooManyRestarts(job: Job, pods: readonly Pod[]): boolean {
  const { backoffLimit = 6, template } = job.spec
  if (template.spec.restartPolicy !== 'OnFailure') return false
  const restarts = pods
    .filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0)
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit
}

function completionOf(job: Job, counts: JobCounts, indexes: Indexes | undefined): Verdict | undefined {
  const { completions = 0, successPolicy } = job.spec
  for (const [i, { succeededCount, succeededIndexes }] of (successPolicy?.rules ?? []).entries()) {
    const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions)
    const have = [...(indexes?.completed ?? [])].filter((index) => wanted?.has(index) !== false).length
    if (have >= (succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY))
      return { reason: 'SuccessPolicy', message: `Matched rules at index ${i}` }
  }
  const enough = job.spec.completions === undefined ? counts.succeeded > 0 : counts.succeeded >= completions
  if (!enough || counts.active > 0) return undefined
  return { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
}

/** Milliseconds to the deadline, and whether it has passed. */
function deadlineOf(job: Job, nowMs: number): readonly [number | undefined, boolean] {
  const { activeDeadlineSeconds, suspend } = job.spec
  const { startTime } = job.status ?? {}
  if (activeDeadlineSeconds === undefined || suspend === true) return [undefined, false]
  const left = (startTime === undefined ? nowMs : Date.parse(startTime)) + activeDeadlineSeconds * 1000 - nowMs
  return [Math.max(0, left), left <= 0]
}

/** Those that go first when there are too many: not yet running, unready, youngest. */
function surplus(active: readonly Pod[], count: number): readonly Pod[] {
  const rank = (pod: Pod): number => (pod.status?.phase === 'Running' ? 1 : 0) + (isReady(pod) ? 1 : 0)
  return active
    .toSorted(
      (a, b) =>
        rank(a) - rank(b) || (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
    )
    .slice(0, count)
}

/** How long to wait after the latest failure: longer with each since the last success. */
function backoffMs(pods: readonly Pod[], newlyFailed: readonly Pod[], nowMs: number): number {
  const lastSuccess = Math.max(0, ...pods.filter(({ status }) => status?.phase === 'Succeeded').map(endOf))
  const failures = new Set([...pods.filter(({ status }) => status?.phase === 'Failed'), ...newlyFailed])
  const ends = [...failures].map(endOf).filter((end) => end > lastSuccess)
  if (ends.length === 0) return 0
  const delay = Math.min(LIMITS.jobBackoffMaxMs, LIMITS.jobBackoffInitialMs * 2 ** (ends.length - 1))
  return Math.max(0, Math.max(...ends) + delay - nowMs)
}

/** When a pod ended: when its first container did, else when somebody deleted it. */
function endOf({ metadata, status }: Pod): number {
  const [finished] = (status?.containerStatuses ?? []).flatMap(({ state }) => state.terminated?.finishedAt ?? [])
  const deleted = Date.parse(metadata.deletionTimestamp ?? '') - (metadata.deletionGracePeriodSeconds ?? 0) * 1000
  const end = Date.parse(finished ?? '')
  if (!Number.isNaN(end)) return end
  return Number.isNaN(deleted) ? Date.parse(metadata.creationTimestamp ?? '') || 0 : deleted
}

function newPods(
  count: number,
  active: readonly Pod[],
  indexes: Indexes | undefined,
  completions: number,
): JobPlan['create'] {
  if (indexes === undefined) return Array.from({ length: count }, () => ({ index: undefined, failures: 0 }))
  const taken = new Set(active.map(indexOf))
  const create: { index: number; failures: number }[] = []
  for (let index = 0; index < completions && create.length < count; index++) {
    if (taken.has(index) || indexes.completed.has(index) || indexes.failed?.has(index) === true) continue
    create.push({ index, failures: indexes.failures.get(index) ?? 0 })
  }
  return create
}
