import { FakeClock } from '@ambit/testing'
import test from 'ava'
import fc from 'fast-check'
import { latestTime, parseSchedule } from '../../src/controllers/cron-schedule.ts'
import { GVR } from '../../src/objects/gvr.ts'
import type { CronJob, Job } from '../../src/objects/workloads.types.ts'
import { startWorld, template, type World } from './harness.ts'

const START = Date.UTC(2026, 2, 1, 12, 0, 30)

const cron = (spec: object = {}): object => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'tick' },
  spec: {
    schedule: '* * * * *',
    jobTemplate: {
      metadata: { labels: { kind: 'tick' } },
      spec: { template: template('tick', { restartPolicy: 'Never' }) },
    },
    ...spec,
  },
})
const tick = (world: World): CronJob | undefined => world.get<CronJob>(GVR.cronJobs, 'tick')
const jobs = (world: World): string[] => world.list<Job>(GVR.jobs).map(({ metadata }) => metadata.name ?? '')
const minute = (count: number): string => `tick-${Math.floor(START / 60_000) + count}`

/** Lets a minute pass in a fifth of a second, so that what happens by the way has its turns of the loop. */
function passing(clock: FakeClock): Disposable {
  const timer = setInterval(() => void clock.advance(1500), 5)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

test('a Job each time, named by it; so many that succeeded are kept', async (t) => {
  const clock = new FakeClock(START)
  await using world = await startWorld({ clock })
  world.fate = () => ({ exit: 0 })
  await world.apply(cron({ successfulJobsHistoryLimit: 2 }))
  using _time = passing(clock)
  await world.until('fifth', () => jobs(world).includes(minute(5)))
  t.false(jobs(world).includes(minute(1)))
  const job = world.get<Job>(GVR.jobs, minute(5))
  t.is(job?.metadata.labels?.['kind'], 'tick')
  t.regex(
    job?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'] ?? '',
    /^2026-03-01T12:05:00Z$/,
  )
  await world.until('told', () => tick(world)?.status?.lastSuccessfulTime !== undefined)
  t.true((tick(world)?.status?.lastScheduleTime ?? '') >= '2026-03-01T12:05:00Z')
})

test('while one runs another starts beside it, waits, or takes its place', async (t) => {
  for (const [concurrencyPolicy, fits] of [
    ['Allow', (all: string[]) => all.includes(minute(1)) && all.includes(minute(2))],
    ['Forbid', (all: string[]) => all.join() === minute(1)],
    ['Replace', (all: string[]) => all.length === 1 && !all.includes(minute(1))],
  ] as const) {
    const clock = new FakeClock(START)
    await using world = await startWorld({ clock })
    await world.apply(cron({ concurrencyPolicy }))
    using _time = passing(clock)
    await world.until('first', () => jobs(world).length === 1)
    await world.until(
      'two minutes later',
      () => clock.now() > START + 140_000 && jobs(world).length > 0 && tick(world)?.status?.active,
    )
    t.true(fits(jobs(world)), `${concurrencyPolicy}: ${jobs(world).join()}`)
  }
})

test('a suspended one starts nothing; what it missed is made up for once, within its deadline', async (t) => {
  const clock = new FakeClock(START)
  await using world = await startWorld({ clock })
  world.fate = () => ({ exit: 0 })
  await world.apply(cron({ suspend: true, schedule: '*/5 * * * *', startingDeadlineSeconds: 60 }))
  await clock.advance(11 * 60_000)
  t.deepEqual(jobs(world), [])
  await world.patch(GVR.cronJobs, 'tick', { spec: { suspend: false } })
  using _time = passing(clock)
  // 12:05 is too long ago, and so is 12:10.
  const first = await world.until('one', () => jobs(world)[0])
  t.is(first, minute(15))
})

const at = (text: string, zone?: string): ((from: string) => string | undefined) => {
  const parsed = parseSchedule(text, zone)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return (from) => {
    const next = parsed.schedule.next(Date.parse(from))
    return next === undefined ? undefined : new Date(next).toISOString().replace('.000Z', 'Z')
  }
}

test('schedules as Kubernetes reads them', (t) => {
  t.is(at('*/15 9-17 * * mon-fri')('2026-03-06T17:50:00Z'), '2026-03-09T09:00:00Z')
  // Both days named: either will do.
  t.is(at('0 0 13 * 5')('2026-03-01T00:00:00Z'), '2026-03-06T00:00:00Z')
  t.is(at('0 12 ? * ?')('2026-03-01T13:00:00Z'), '2026-03-02T12:00:00Z')
  t.is(at('@daily', 'Europe/Berlin')('2026-03-01T00:00:00Z'), '2026-03-01T23:00:00Z')
  t.is(at('@every 1h30m')('2026-03-01T00:00:00Z'), '2026-03-01T01:30:00Z')
  t.is(at('0 0 30 2 *')('2026-03-01T00:00:00Z'), undefined)
  t.true('problem' in parseSchedule('61 * * * *'))
  t.true('problem' in parseSchedule('* * * * * *'))
})

test('summer time: an hour that comes twice is one, one that is missing does not stop the schedule', (t) => {
  const daily = at('30 2 * * *', 'Europe/Berlin')
  t.is(daily('2026-03-27T12:00:00Z'), '2026-03-28T01:30:00Z')
  t.is(daily('2026-03-28T12:00:00Z'), '2026-03-29T01:00:00Z')
  t.is(daily('2026-03-29T12:00:00Z'), '2026-03-30T00:30:00Z')
  t.is(daily('2026-10-24T12:00:00Z'), '2026-10-25T00:30:00Z')
  t.is(daily('2026-10-25T00:30:00Z'), '2026-10-26T01:30:00Z')
})

test('the latest time is the last of all the times between', (t) => {
  const schedules = ['* * * * *', '7 * * * *', '0 3 * * *', '0 0 1 * *', '0 0 29 2 *', '@every 7m']
  const arbitrary = fc.record({
    text: fc.constantFrom(...schedules),
    until: fc.integer({ min: START, max: START + 10 ** 9 }),
    back: fc.integer({ min: 0, max: 40 * 60_000 }),
  })
  fc.assert(
    fc.property(arbitrary, ({ back, text, until }) => {
      const parsed = parseSchedule(text)
      if ('problem' in parsed) return false
      let last: number | undefined
      for (let time = parsed.schedule.next(until - back); time !== undefined && time <= until; ) {
        last = time
        time = parsed.schedule.next(time)
      }
      const latest = latestTime(parsed.schedule, until - back, until)
      // An interval has no fixed times, only a distance: any within the range will do.
      return text.startsWith('@every') ? (latest === undefined) === (last === undefined) : latest === last
    }),
  )
  t.pass()
})
