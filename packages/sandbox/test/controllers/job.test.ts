import { FakeClock } from '@ambit/testing'
import test from 'ava'
import fc from 'fast-check'
import { judgeFailure } from '../../src/controllers/job-failure-policy.ts'
import { formatIndexes, parseIndexes } from '../../src/controllers/job-indexes.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { Condition, Pod } from '../../src/objects/pod.types.ts'
import type { Job } from '../../src/objects/workloads.types.ts'
import { startWorld, template, type World } from './harness.ts'

const job = (spec: object = {}, pod: object = {}): object => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'work' },
  spec: { template: template('work', { restartPolicy: 'Never', ...pod }), ...spec },
})
const work = (world: World): Job | undefined => world.get<Job>(GVR.jobs, 'work')
const pods = (world: World): Pod[] => world.list<Pod>(GVR.pods)
const condition = (world: World, type: string): Condition | undefined =>
  work(world)?.status?.conditions?.find((one) => one.type === type && one.status === 'True')
const settles = (world: World, type: string): Promise<Condition> =>
  world.until(`${type} condition`, () => condition(world, type))

test('a Job runs as many pods at once as it may until enough have succeeded', async (t) => {
  await using world = await startWorld()
  let most = 0
  using _watch = world.core.store.subscribe('/pods', () => {
    most = Math.max(most, pods(world).filter(({ status }) => status?.phase !== 'Succeeded').length)
  })
  world.fate = () => ({ exit: 0 })
  await world.apply(job({ completions: 5, parallelism: 2 }))
  const complete = await settles(world, 'Complete')
  t.is(complete.reason, 'CompletionsReached')
  const { active, completionTime, failed, startTime, succeeded } = work(world)?.status ?? {}
  t.like({ active, failed, succeeded }, { active: undefined, failed: undefined, succeeded: 5 })
  t.true(startTime !== undefined && completionTime !== undefined)
  t.is(most, 2)
  t.is(pods(world).length, 5)
  t.deepEqual(
    pods(world).flatMap(({ metadata }) => metadata.finalizers ?? []),
    [],
  )
})

test('ended pods count even when somebody removes them, and no pod is counted twice', async (t) => {
  await using world = await startWorld()
  world.fate = () => ({ exit: 0 })
  using _sweeper = world.core.store.subscribe('/pods', ({ object, type }) => {
    const { metadata, status } = object as Pod
    if (type !== 'MODIFIED' || status?.phase !== 'Succeeded' || metadata.deletionTimestamp !== undefined) return
    setImmediate(() => void world.client.delete(GVR.pods, 'default', metadata.name ?? '').catch(() => undefined))
  })
  await world.apply(job({ completions: 4, parallelism: 2 }))
  await settles(world, 'Complete')
  await world.until('all swept', () => pods(world).length === 0)
  t.is(work(world)?.status?.succeeded, 4)
})

test('failures up to the limit are replaced, one more fails the Job and ends what still runs', async (t) => {
  await using world = await startWorld()
  world.fate = () => ({ exit: 3 })
  await world.apply(job({ backoffLimit: 0 }))
  const failed = await settles(world, 'Failed')
  t.is(failed.reason, 'BackoffLimitExceeded')
  t.is(failed.message, 'Job has reached the specified backoff limit')
  t.is(work(world)?.status?.failed, 1)
})

test('a deadline fails the Job', async (t) => {
  await using world = await startWorld()
  await world.apply(job({ activeDeadlineSeconds: 1 }))
  t.is((await settles(world, 'Failed')).reason, 'DeadlineExceeded')
  await world.until('pods gone', () => pods(world).length === 0)
  t.is(work(world)?.status?.failed ?? 0, 0)
})

test('a suspended Job has no pods; resumed it starts anew, and nothing of it counts as failed', async (t) => {
  await using world = await startWorld()
  await world.apply(job({ parallelism: 2, completions: 2 }))
  await world.until('two run', () => work(world)?.status?.ready === 2)
  await world.patch(GVR.jobs, 'work', { spec: { suspend: true } })
  await settles(world, 'Suspended')
  await world.until('none', () => pods(world).length === 0 && work(world)?.status?.active === undefined)
  t.is(work(world)?.status?.startTime, undefined)
  world.fate = () => ({ exit: 0 })
  await world.patch(GVR.jobs, 'work', { spec: { suspend: false } })
  await settles(world, 'Complete')
  t.is(condition(world, 'Suspended'), undefined)
  t.like(work(world)?.status, { succeeded: 2, failed: undefined })
})

test('an indexed Job completes each number once; its pods know theirs', async (t) => {
  await using world = await startWorld()
  world.fate = () => ({ exit: 0 })
  await world.apply(job({ completionMode: 'Indexed', completions: 4, parallelism: 3 }))
  await settles(world, 'Complete')
  t.is(work(world)?.status?.completedIndexes, '0-3')
  const index = 'batch.kubernetes.io/job-completion-index'
  t.deepEqual(
    pods(world)
      .map(({ metadata }) => metadata.annotations?.[index])
      .toSorted((a = '', b = '') => a.localeCompare(b)),
    ['0', '1', '2', '3'],
  )
  const [pod] = pods(world)
  t.is(pod?.spec.hostname, `work-${pod?.metadata.annotations?.[index]}`)
  t.is(pod?.spec.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX')
})

test('with a limit per index the others go on, and the Job fails in the end', async (t) => {
  await using world = await startWorld()
  world.fate = ({ metadata }) => ({ exit: metadata.name?.startsWith('work-1-') === true ? 1 : 0 })
  await world.apply(job({ completionMode: 'Indexed', completions: 3, parallelism: 3, backoffLimitPerIndex: 0 }))
  t.is((await settles(world, 'Failed')).reason, 'FailedIndexes')
  t.like(work(world)?.status, { completedIndexes: '0,2', failedIndexes: '1', succeeded: 2, failed: 1 })
})

test('a failure policy decides what a failure means', async (t) => {
  await using world = await startWorld()
  const policy = (action: string): object => ({
    rules: [{ action, onExitCodes: { operator: 'In', values: [42] } }],
  })
  world.fate = () => ({ exit: 42 })
  await world.apply(job({ podFailurePolicy: policy('FailJob') }))
  const failed = await settles(world, 'Failed')
  t.is(failed.reason, 'PodFailurePolicy')
  t.regex(
    failed.message ?? '',
    /^Container c for pod default\/work-\w+ failed with exit code 42 matching FailJob rule at index 0$/,
  )
  const disrupted: Pod = {
    ...pods(world)[0]!,
    status: { phase: 'Failed', conditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  }
  const rules = [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }]
  const ignoring = { ...work(world)!, spec: { ...work(world)!.spec, podFailurePolicy: { rules } } }
  t.deepEqual(judgeFailure(ignoring, disrupted), { action: 'Ignore' })
})

test('a finished Job goes when its time is over, with its pods', async (t) => {
  await using world = await startWorld()
  world.fate = () => ({ exit: 0 })
  await world.apply(job({ ttlSecondsAfterFinished: 1 }))
  await settles(world, 'Complete')
  await world.until('gone', () => work(world) === undefined && pods(world).length === 0)
  t.pass()
})

test('a Job that is deleted leaves no pods behind, whichever way', async (t) => {
  for (const propagationPolicy of ['Foreground', 'Background'] as const) {
    await using world = await startWorld()
    await world.apply(job())
    await world.until('runs', () => work(world)?.status?.ready === 1)
    await world.client.delete(GVR.jobs, 'default', 'work', { propagationPolicy })
    await world.until('gone', () => work(world) === undefined && pods(world).length === 0)
  }
  t.pass()
})

test('lists of numbers are read as they were written', (t) => {
  t.is(formatIndexes([4, 0, 1, 2, 6, 7]), '0-2,4,6,7')
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60)), (indexes) => {
      const read = [...parseIndexes(formatIndexes(indexes), 100)].sort((a, b) => a - b)
      return read.join() === indexes.toSorted((a, b) => a - b).join()
    }),
  )
  t.deepEqual([...parseIndexes('0-99999999999', 3)], [0, 1, 2])
})

test('a failed pod is replaced after ten seconds, the next after twenty', async (t) => {
  const clock = new FakeClock()
  await using world = await startWorld({ clock })
  const start = clock.now()
  const created: number[] = []
  using _watch = world.core.store.subscribe(
    '/pods',
    ({ type }) => type === 'ADDED' && created.push(clock.now() - start),
  )
  world.fate = () => ({ exit: pods(world).length < 3 ? 1 : 0 })
  await world.apply(job())
  const timer = setInterval(() => void clock.advance(500), 5)
  try {
    await settles(world, 'Complete')
  } finally {
    clearInterval(timer)
  }
  t.like(work(world)?.status, { succeeded: 1, failed: 2 })
  const [first = 0, second = 0, third = 0] = created
  t.true(second - first >= 10_000 && second - first < 13_000, created.join())
  t.true(third - second >= 20_000 && third - second < 23_000, created.join())
})

test('a success policy ends an indexed Job before all are done', async (t) => {
  await using world = await startWorld()
  world.fate = ({ metadata }) => (metadata.name?.startsWith('work-0-') === true ? { exit: 0 } : 'ready')
  const successPolicy = { rules: [{ succeededIndexes: '0' }] }
  await world.apply(job({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy }))
  t.is((await settles(world, 'Complete')).reason, 'SuccessPolicy')
  t.is(work(world)?.status?.completedIndexes, '0')
  await world.until('the others ended', () => pods(world).length === 1)
})

test('pods of a Job that is orphaned are held back by nobody', async (t) => {
  await using world = await startWorld()
  await world.apply(job())
  await world.until('runs', () => work(world)?.status?.ready === 1)
  await world.client.delete(GVR.jobs, 'default', 'work', { propagationPolicy: 'Orphan' })
  await world.until('let go', () => work(world) === undefined && pods(world)[0]?.metadata.finalizers === undefined)
  await world.client.delete(GVR.pods, 'default', pods(world)[0]?.metadata.name ?? '')
  await world.until('gone', () => pods(world).length === 0)
  t.pass()
})

test('an indexed Job beyond the limit fails and says why', async (t) => {
  await using world = await startWorld()
  await world.apply(job({ completionMode: 'Indexed', completions: 2_000_000_000, parallelism: 1 }))
  t.is((await settles(world, 'Failed')).reason, 'TooManyIndexes')
  t.is(pods(world).length, 0)
})
