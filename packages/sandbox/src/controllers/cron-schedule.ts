import { Cron } from 'croner'

export interface CronSchedule {
  /** The first time after that one, milliseconds since the epoch; undefined when there is none any more. */
  next(afterMs: number): number | undefined
}

export type ParsedSchedule = { readonly schedule: CronSchedule } | { readonly problem: string }

const SECOND_MS = 1000
const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: SECOND_MS, ms: 1 }

/** A schedule of Kubernetes: five fields, `@daily` and its like, or `@every 1h30m`; in UTC unless a zone is named. */
export function parseSchedule(text: string, timezone = 'Etc/UTC'): ParsedSchedule {
  const every = /^@every\s+((?:\d+(?:\.\d+)?(?:h|ms|m|s))+)$/.exec(text.trim())?.[1]
  if (every !== undefined) {
    const parts = [...every.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)]
    const sum = parts.reduce((total, [, count, unit]) => total + Number(count) * (UNITS_MS[unit ?? ''] ?? 0), 0)
    // Whole seconds, one at least.
    const period = Math.max(1, Math.floor(sum / SECOND_MS)) * SECOND_MS
    return { schedule: { next: (afterMs) => Math.floor(afterMs / SECOND_MS) * SECOND_MS + period } }
  }
  try {
    // To croner a question mark is the present time, to Kubernetes a star.
    const cron = new Cron(text.trim().replaceAll('?', '*'), { mode: '5-part', timezone, paused: true })
    return { schedule: { next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() } }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

/** Widths in which the latest time is looked for, so that a schedule by the minute isn't walked through a year. */
const WINDOWS_MS = [1, 60, 1440, 44_640, 527_040, 4_216_320].map((minutes) => minutes * 60_000)

/** The latest time of a schedule after one moment and not after another. */
export function latestTime(schedule: CronSchedule, afterMs: number, untilMs: number): number | undefined {
  for (const window of WINDOWS_MS) {
    // Just before the window, so that its first moment counts.
    const from = Math.max(afterMs, untilMs - window - 1)
    let latest: number | undefined
    for (let at = schedule.next(from); at !== undefined && at <= untilMs; at = schedule.next(at)) latest = at
    if (latest !== undefined || from === afterMs) return latest
  }
  return undefined
}
