import { messageOf } from '@ambit/core'
import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import type { PodTemplate } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { Condition, Container, EnvVar, Pod } from '../objects/pod.types.ts'
import type { Job, JobStatus } from '../objects/workloads.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { conditionOf, isTrue, nextConditions } from './conditions.ts'
import { INDEX, INDEX_FAILURES } from './job-indexes.ts'
import { type JobPlan, planJob, TRACKING } from './job-plan.ts'
import { OwnerQueue } from './owner-queue.ts'
import { controllerOf, isActive, isEnded, isoTime, randomSuffix, saysAlready, withoutZeros } from './ownership.ts'
import { PodControl } from './pod-control.ts'

const COMPONENT = 'job-controller'
const MANAGED_BY = 'kubernetes.io/job-controller'

/** Runs pods until enough of them have succeeded, or too many have failed. */
export class JobController implements Disposable {
  readonly #components: ControllerComponents
  readonly #pods: PodControl
  readonly #queue: OwnerQueue<Job, Pod>
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    this.#pods = new PodControl(components, COMPONENT)
    const { jobs, pods } = components.caches
    this.#queue = this.#stack.use(
      new OwnerQueue(components, {
        kind: 'Job',
        gvr: GVR.jobs,
        owners: jobs,
        dependents: pods,
        spacingMs: LIMITS.controllerSpacingMs,
        reconcile: (job) => this.#reconcile(job),
        leave: (key) => this.#leave(key),
      }),
    )
    const letOrphanGo = (pod: Pod): void => {
      if (!isTracked(pod) || controllerOf(pod) !== undefined) return
      this.#pods.removeFinalizer(pod, TRACKING).catch((error: unknown) => {
        const { name, namespace } = pod.metadata
        components.logger.warn(`pod ${namespace}/${name} is still held back`, { error: messageOf(error) })
      })
    }
    this.#stack.use(pods.subscribe(({ type, object }) => void (type !== 'DELETED' && letOrphanGo(object))))
    for (const pod of pods.all()) letOrphanGo(pod)
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  /** Pods of a Job that is gone or going are counted by nobody. */
  async #leave(key: string): Promise<void> {
    const [namespace, name] = key.split('/')
    for (const pod of this.#components.caches.pods.inNamespace(namespace)) {
      const owner = controllerOf(pod)
      if (owner?.kind === 'Job' && owner.name === name && isTracked(pod))
        await this.#pods.removeFinalizer(pod, TRACKING)
    }
  }

  async #reconcile(job: Job): Promise<void> {
    const managed = job.spec.managedBy ?? MANAGED_BY
    if (managed !== MANAGED_BY) return
    if (isFinished(job)) return await this.#cleanUp(job)
    const { selector } = job.spec
    const pods = selector === undefined ? [] : await this.#pods.claim(job, selector)
    const nowMs = this.#components.clock.now()
    const plan = planJob(job, pods, nowMs)
    if (plan.againMs !== undefined) this.#queue.addAfter(job, plan.againMs)
    const counted = await this.#count(job, plan, pods)
    for (const pod of plan.remove) await this.#remove(job, pod)
    for (const { index, failures } of plan.create) await this.#create(job, index, failures)
    await this.#writeStatus(counted, plan)
  }

  /** Counts ended pods for good: first in the status with their names, then they are let go. */
  async #count(job: Job, plan: JobPlan, pods: readonly Pod[]): Promise<Job> {
    const { failed, succeeded } = plan.counted
    let current = job
    if (failed.length + succeeded.length > 0) {
      const before = job.status?.uncountedTerminatedPods ?? {}
      current = await this.#patchStatus(job, {
        succeeded: plan.counts.succeeded,
        failed: plan.counts.failed,
        ...indexStatus(plan),
        uncountedTerminatedPods: {
          succeeded: [...(before.succeeded ?? []), ...succeeded.map(uidOf)],
          failed: [...(before.failed ?? []), ...failed.map(uidOf)],
        },
      })
    }
    const { failed: uncountedFailed = [], succeeded: uncountedSucceeded = [] } =
      current.status?.uncountedTerminatedPods ?? {}
    const done = new Set([...uncountedFailed, ...uncountedSucceeded, ...plan.ignored.map(uidOf)])
    for (const pod of pods) if (done.has(uidOf(pod)) && isTracked(pod)) await this.#pods.removeFinalizer(pod, TRACKING)
    return current
  }

  /** A pod that the Job ends itself is no failure. */
  async #remove(job: Job, pod: Pod): Promise<void> {
    if (isTracked(pod)) await this.#pods.removeFinalizer(pod, TRACKING)
    await this.#pods.delete(job, pod)
  }

  async #create(job: Job, index: number | undefined, failures: number): Promise<void> {
    const { name } = job.metadata
    const { template } = job.spec
    const finalizers = [TRACKING]
    if (index === undefined) return void (await this.#pods.create(job, template, { finalizers }))
    const perIndex = job.spec.backoffLimitPerIndex !== undefined
    await this.#pods.create(job, template, {
      name: `${name}-${index}-${randomSuffix()}`,
      labels: { [INDEX]: String(index) },
      annotations: { [INDEX]: String(index), ...(perIndex ? { [INDEX_FAILURES]: String(failures) } : {}) },
      finalizers,
      spec: indexedSpec(template, `${name}-${index}`),
    })
  }

  async #writeStatus(job: Job, plan: JobPlan): Promise<void> {
    const { caches, clock } = this.#components
    const nowIso = isoTime(clock.now())
    const living = caches.pods.controlledBy(job.metadata.uid).filter((pod) => !isEnded(pod))
    const active = living.filter(isActive)
    const suspended = job.spec.suspend === true
    const over = plan.complete ?? plan.failed
    // It is over when the last pod is, not before.
    const finished = over !== undefined && living.length === 0
    const wanted = conditionsOf(plan, finished)
    const before = job.status?.conditions ?? []
    if (over === undefined && suspended)
      wanted.push({ type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' })
    if (over === undefined && !suspended && isTrue(before, 'Suspended'))
      wanted.push({ type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' })
    const conditions = nextConditions(before, wanted, nowIso, { stamp: 'lastProbeTime' })
    const resumed = isTrue(before, 'Suspended') && !suspended
    const startTime = suspended ? undefined : resumed ? nowIso : (job.status?.startTime ?? nowIso)
    const status = {
      active: active.length,
      ready: finished ? 0 : plan.counts.ready,
      terminating: living.length - active.length,
      succeeded: plan.counts.succeeded,
      failed: plan.counts.failed,
      ...indexStatus(plan),
      // A merge patch takes away what is null.
      startTime: startTime ?? null,
      ...(finished && plan.complete !== undefined ? { completionTime: nowIso } : {}),
      uncountedTerminatedPods: { succeeded: null, failed: null },
      ...(conditions.length > 0 ? { conditions } : {}),
    }
    const { uncountedTerminatedPods: uncounted, ...counts } = status
    const old = job.status?.uncountedTerminatedPods
    const cleared = (old?.succeeded ?? []).length + (old?.failed ?? []).length === 0 && old !== undefined
    if (cleared && saysAlready(job.status, counts)) return
    const shown = withoutZeros(counts, ['ready', 'terminating'])
    const written = await this.#patchStatus(job, { ...shown, uncountedTerminatedPods: uncounted })
    for (const condition of conditions)
      if (conditionOf(before, condition.type)?.status !== condition.status) this.#tell(job, condition)
    if (
      plan.againMs === undefined &&
      job.status?.startTime === undefined &&
      job.spec.activeDeadlineSeconds !== undefined
    )
      this.#queue.addAfter(job, job.spec.activeDeadlineSeconds * 1000)
    if (isFinished(written)) this.#queue.add(written)
  }

  #tell(job: Job, condition: Condition): void {
    const { message = '', reason = '', status, type } = condition
    const words: Readonly<Record<string, readonly ['Normal' | 'Warning', string, string]>> = {
      Complete: ['Normal', 'Completed', 'Job completed'],
      Failed: ['Warning', reason, message],
      Suspended: ['Normal', status === 'True' ? 'Suspended' : 'Resumed', message],
    }
    const [kind, why, text] = words[type] ?? []
    if (kind === undefined || why === undefined || text === undefined) return
    this.#components.events.event(job, { type: kind, reason: why, message: text, component: COMPONENT })
  }

  /** A finished Job lets go of its pods, and goes itself when its time is over. */
  async #cleanUp(job: Job): Promise<void> {
    const { caches, client, clock } = this.#components
    for (const pod of caches.pods.controlledBy(job.metadata.uid))
      if (isTracked(pod)) await this.#pods.removeFinalizer(pod, TRACKING)
    const { ttlSecondsAfterFinished: ttl } = job.spec
    if (ttl === undefined) return
    const end = finishedCondition(job)?.lastTransitionTime ?? ''
    const leftMs = Date.parse(end) + ttl * 1000 - clock.now()
    if (leftMs > 0) return this.#queue.addAfter(job, leftMs)
    const { namespace, name = '', uid } = job.metadata
    const options = { propagationPolicy: 'Foreground', preconditions: { uid } } as const
    await client.delete(GVR.jobs, namespace, name, options).catch((error: unknown) => {
      if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
    })
  }

  async #patchStatus(job: Job, status: Readonly<Record<string, unknown>>): Promise<Job> {
    const { namespace, name = '' } = job.metadata
    const options = { subresource: 'status' } as const
    const written = (await this.#components.client.patch(GVR.jobs, namespace, name, { status }, options)) as Job
    this.#components.caches.jobs.note(written)
    return written
  }
}

export function isFinished(job: Job): boolean {
  return finishedCondition(job) !== undefined
}

export function finishedCondition(job: Job): Condition | undefined {
  return job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  )
}

function uidOf(pod: Pod): string {
  return pod.metadata.uid ?? ''
}

function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(TRACKING) === true
}

function indexStatus(plan: JobPlan): Pick<JobStatus, 'completedIndexes' | 'failedIndexes'> {
  const { completedIndexes, failedIndexes } = plan.counts
  return {
    ...(completedIndexes === undefined ? {} : { completedIndexes }),
    ...(failedIndexes === undefined ? {} : { failedIndexes }),
  }
}

function conditionsOf(plan: JobPlan, finished: boolean): Condition[] {
  const { complete, failed } = plan
  if (complete !== undefined) {
    const met: Condition = { type: 'SuccessCriteriaMet', status: 'True', ...complete }
    return finished ? [met, { ...met, type: 'Complete' }] : [met]
  }
  if (failed === undefined) return []
  const target: Condition = { type: 'FailureTarget', status: 'True', ...failed }
  return finished ? [target, { ...target, type: 'Failed' }] : [target]
}

/** A pod of an indexed Job knows its number by its host name and a variable. */
function indexedSpec(template: PodTemplate, hostname: string): Pod['spec'] {
  const variable: EnvVar = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${INDEX}']` } },
  }
  const told = (container: Container): Container =>
    container.env?.some(({ name }) => name === variable.name) === true
      ? container
      : { ...container, env: [...(container.env ?? []), variable] }
  const { containers, initContainers } = template.spec
  return {
    ...template.spec,
    hostname,
    containers: containers.map(told),
    ...(initContainers === undefined ? {} : { initContainers: initContainers.map(told) }),
  }
}
