import type { KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { GVR } from '../objects/gvr.ts'
import type { CronJob, Job } from '../objects/workloads.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { type CronSchedule, latestTime, parseSchedule } from './cron-schedule.ts'
import { finishedCondition, isFinished } from './job.ts'
import { OwnerQueue } from './owner-queue.ts'
import { isoTime, ownerReference, saysAlready } from './ownership.ts'

const COMPONENT = 'cronjob-controller'
const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp'
/** A timer may be early by a part of a millisecond. */
const TIMER_SLACK_MS = 5

/** Creates Jobs when their time has come, and keeps only so many that are over. */
export class CronJobController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<CronJob, Job>
  /** Schedules that can't be read are told of once. */
  readonly #told = new Map<string, string>()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { cronJobs, jobs } = components.caches
    this.#queue = new OwnerQueue(components, {
      kind: 'CronJob',
      gvr: GVR.cronJobs,
      owners: cronJobs,
      dependents: jobs,
      reconcile: (cronJob) => this.#reconcile(cronJob),
      leave: async (key) => void this.#told.delete(key),
    })
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]()
  }

  async #reconcile(cronJob: CronJob): Promise<void> {
    const jobs = this.#components.caches.jobs.controlledBy(cronJob.metadata.uid)
    await this.#forgetOld(cronJob, jobs)
    const seen = this.#seen(cronJob, jobs)
    const started = await this.#start(cronJob, seen.active)
    const active = [...seen.active, ...(started?.job === undefined ? [] : [started.job])]
    await this.#writeStatus(cronJob, active, seen.lastSuccessfulTime, started?.timeMs)
  }

  /** What has become of the Jobs it started. */
  #seen(
    cronJob: CronJob,
    jobs: readonly Job[],
  ): { readonly active: readonly Job[]; readonly lastSuccessfulTime: string | undefined } {
    const mine = new Set((cronJob.status?.active ?? []).map((reference) => reference['uid']))
    for (const job of jobs) {
      const finished = finishedCondition(job)
      if (finished === undefined || !mine.has(job.metadata.uid)) continue
      const message = `Saw completed job: ${job.metadata.name}, condition: ${finished.type}`
      this.#event(cronJob, 'Normal', 'SawCompletedJob', message)
    }
    const successes = jobs.flatMap(({ status }) => status?.completionTime ?? [])
    const last = [...successes, cronJob.status?.lastSuccessfulTime ?? ''].sort().at(-1)
    const active = jobs.filter((job) => mine.has(job.metadata.uid) && !isFinished(job))
    return { active, lastSuccessfulTime: last === '' ? undefined : last }
  }

  /** Starts the Job that is due, if one is and may be. */
  async #start(
    cronJob: CronJob,
    active: readonly Job[],
  ): Promise<{ readonly job: Job | undefined; readonly timeMs: number } | undefined> {
    const { metadata, spec } = cronJob
    const parsed = parseSchedule(spec.schedule, spec.timeZone ?? undefined)
    if ('problem' in parsed) return this.#tellProblem(cronJob, parsed.problem)
    if (spec.suspend === true || metadata.deletionTimestamp !== undefined) return undefined
    const nowMs = this.#components.clock.now()
    this.#sleep(cronJob, parsed.schedule, nowMs)
    const since = Date.parse(cronJob.status?.lastScheduleTime ?? metadata.creationTimestamp ?? '')
    // What is later than that isn't made up for.
    const deadlineMs = (spec.startingDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000
    const dueMs = latestTime(parsed.schedule, Math.max(since, nowMs - deadlineMs), nowMs)
    if (dueMs === undefined) return undefined
    if (spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
      const message = 'Not starting job because prior execution is running and concurrency policy is Forbid'
      this.#event(cronJob, 'Normal', 'JobAlreadyActive', message)
      return undefined
    }
    if (spec.concurrencyPolicy === 'Replace') for (const job of active) await this.#delete(cronJob, job)
    return { job: await this.#create(cronJob, dueMs), timeMs: dueMs }
  }

  #tellProblem(cronJob: CronJob, problem: string): undefined {
    const key = `${cronJob.metadata.namespace}/${cronJob.metadata.name}`
    if (this.#told.get(key) === problem) return
    this.#told.set(key, problem)
    const message = `unparseable schedule: ${JSON.stringify(cronJob.spec.schedule)} : ${problem}`
    this.#event(cronJob, 'Warning', 'UnparseableSchedule', message)
  }

  #sleep(cronJob: CronJob, schedule: CronSchedule, nowMs: number): void {
    const nextMs = schedule.next(nowMs)
    if (nextMs !== undefined) this.#queue.addAfter(cronJob, nextMs - nowMs + TIMER_SLACK_MS)
  }

  async #create(cronJob: CronJob, timeMs: number): Promise<Job | undefined> {
    const { caches, client } = this.#components
    const { jobTemplate } = cronJob.spec
    const { name, namespace } = cronJob.metadata
    const job: KubeObject = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        // The time in the name: a second Job of the same time is refused.
        name: `${name}-${Math.floor(timeMs / 60_000)}`,
        namespace,
        labels: { ...jobTemplate.metadata?.labels },
        annotations: { ...jobTemplate.metadata?.annotations, [SCHEDULED_AT]: isoTime(timeMs) },
        ownerReferences: [ownerReference(cronJob)],
      },
      spec: jobTemplate.spec,
    }
    try {
      const created = (await client.create(GVR.jobs, job)) as Job
      caches.jobs.note(created)
      this.#event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${created.metadata.name}`)
      return created
    } catch (error) {
      if (hasStatus(error, 409)) return caches.jobs.get(namespace, job.metadata.name ?? '')
      this.#event(
        cronJob,
        'Warning',
        'FailedCreate',
        `Error creating job: ${error instanceof Error ? error.message : String(error)}`,
      )
      throw error
    }
  }

  async #delete(cronJob: CronJob, job: Job): Promise<void> {
    const { namespace, name = '', uid } = job.metadata
    const options = { propagationPolicy: 'Background', preconditions: { uid } } as const
    await this.#components.client.delete(GVR.jobs, namespace, name, options).catch((error: unknown) => {
      if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
    })
    this.#components.caches.jobs.noteGone(job)
    this.#event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`)
  }

  async #forgetOld(cronJob: CronJob, jobs: readonly Job[]): Promise<void> {
    const { failedJobsHistoryLimit = 1, successfulJobsHistoryLimit = 3 } = cronJob.spec
    for (const [type, limit] of [
      ['Complete', successfulJobsHistoryLimit],
      ['Failed', failedJobsHistoryLimit],
    ] as const) {
      const over = jobs.filter((job) => finishedCondition(job)?.type === type).toSorted(byStart)
      for (const job of over.slice(0, Math.max(0, over.length - limit))) await this.#delete(cronJob, job)
    }
  }

  async #writeStatus(
    cronJob: CronJob,
    active: readonly Job[],
    lastSuccessfulTime: string | undefined,
    scheduledMs: number | undefined,
  ): Promise<void> {
    const { jobs } = this.#components.caches
    const present = active.filter(
      ({ metadata }) => jobs.get(metadata.namespace, metadata.name ?? '')?.metadata.uid === metadata.uid,
    )
    const references = present.map(({ apiVersion, kind, metadata }) => {
      const { name, namespace, resourceVersion, uid } = metadata
      return { apiVersion, kind, name, namespace, resourceVersion, uid }
    })
    const before = cronJob.status?.active ?? []
    const same = before.map(({ uid }) => uid).join() === references.map(({ uid }) => uid).join()
    const status = {
      active: references.length === 0 ? null : same ? before : references,
      ...(scheduledMs === undefined ? {} : { lastScheduleTime: isoTime(scheduledMs) }),
      ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
    }
    if (saysAlready(cronJob.status, status)) return
    const { namespace, name = '' } = cronJob.metadata
    await this.#components.client.patch(GVR.cronJobs, namespace, name, { status }, { subresource: 'status' })
  }

  #event(cronJob: CronJob, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#components.events.event(cronJob, { type, reason, message, component: COMPONENT })
  }
}

function byStart(a: Job, b: Job): number {
  const start = ({ metadata, status }: Job): string => status?.startTime ?? metadata.creationTimestamp ?? ''
  return start(a).localeCompare(start(b)) || (a.metadata.name ?? '').localeCompare(b.metadata.name ?? '')
}
