import type { KubeObject } from '../contract.types.ts'
import { at, isObject, type JsonObject, jsonEqual, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { matchesLabelSelector } from '../store/selectors.ts'
import { immutable, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { validatePodSpec } from './pods.ts'

const COMPLETION = ['Indexed', 'NonIndexed']
const CONCURRENCY = ['Allow', 'Forbid', 'Replace']
const RESTART = ['Never', 'OnFailure']
/** A Job's name is the CronJob's and eleven characters more. */
const MAX_CRON_NAME = 52
const MACROS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']
const MONTHS = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec'
const DAYS = 'sun|mon|tue|wed|thu|fri|sat'
/** Fields of a schedule with their least and greatest number and the names they allow. */
const FIELDS = [
  { least: 0, greatest: 59, names: '' },
  { least: 0, greatest: 23, names: '' },
  { least: 1, greatest: 31, names: '' },
  { least: 1, greatest: 12, names: MONTHS },
  { least: 0, greatest: 6, names: DAYS },
] as const

export function validateJob(job: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const spec = objectOf(job['spec'])
  const causes = [...jobSpecCauses(spec, 'spec', old?.['spec'])]
  const { selector, template, completions, completionMode } = spec
  const labels = objectOf(at(template, 'metadata', 'labels')) as Record<string, string>
  if (!isObject(selector)) causes.push(requiredValue('spec.selector'))
  else if (!matchesLabelSelector(selector, labels))
    causes.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  if (old === undefined) return causes
  const before = objectOf(old['spec'])
  // An indexed Job may grow and shrink as long as both numbers stay the same.
  const elastic = completionMode === 'Indexed' && completions === spec['parallelism']
  if (completions !== before['completions'] && !elastic) causes.push(immutable('spec.completions', completions))
  for (const key of ['selector', 'completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'successPolicy'])
    if (!jsonEqual(spec[key], before[key])) causes.push(immutable(`spec.${key}`, spec[key]))
  const mayReschedule = before['suspend'] === true && at(old, 'status', 'startTime') === undefined
  if (!mayReschedule && !jsonEqual(template, before['template'])) causes.push(immutable('spec.template', template))
  return causes
}

function jobSpecCauses(spec: JsonObject, path: string, before: unknown): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const counts = ['parallelism', 'completions', 'backoffLimit', 'activeDeadlineSeconds', 'ttlSecondsAfterFinished']
  for (const key of counts) {
    const value = spec[key]
    if (typeof value === 'number' && value < 0)
      causes.push(invalidValue(`${path}.${key}`, value, 'must be greater than or equal to 0'))
  }
  const mode = spec['completionMode'] ?? 'NonIndexed'
  if (!COMPLETION.includes(textOf(mode))) causes.push(unsupportedValue(`${path}.completionMode`, mode, COMPLETION))
  if (mode === 'Indexed' && spec['completions'] === undefined)
    causes.push(requiredValue(`${path}.completions`, 'when completion mode is Indexed'))
  const pod = objectOf(at(spec, 'template', 'spec'))
  const same = before !== undefined && jsonEqual(pod, at(before, 'template', 'spec'))
  if (!same) causes.push(...validatePodSpec(pod, `${path}.template.spec`))
  const restart = pod['restartPolicy']
  if (!RESTART.includes(String(restart)))
    causes.push(unsupportedValue(`${path}.template.spec.restartPolicy`, restart, ['OnFailure', 'Never']))
  return causes
}

export function validateCronJob(cronJob: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(cronJob['spec'])
  const { name = '' } = cronJob.metadata
  if (old === undefined && name.length > MAX_CRON_NAME)
    causes.push(invalidValue('metadata.name', name, `must be no more than ${MAX_CRON_NAME} characters`))
  const { schedule, timeZone, concurrencyPolicy } = spec
  if (typeof schedule !== 'string' || schedule === '') causes.push(requiredValue('spec.schedule'))
  else {
    const problem = scheduleProblem(schedule)
    if (problem !== undefined) causes.push(invalidValue('spec.schedule', schedule, problem))
  }
  if (timeZone !== undefined && !isTimeZone(timeZone))
    causes.push(invalidValue('spec.timeZone', timeZone, `unknown time zone ${textOf(timeZone)}`))
  if (!CONCURRENCY.includes(String(concurrencyPolicy)))
    causes.push(unsupportedValue('spec.concurrencyPolicy', concurrencyPolicy, CONCURRENCY))
  causes.push(
    ...jobSpecCauses(
      objectOf(at(spec, 'jobTemplate', 'spec')),
      'spec.jobTemplate.spec',
      at(old, 'spec', 'jobTemplate', 'spec'),
    ),
  )
  return causes
}

function isTimeZone(zone: unknown): boolean {
  if (typeof zone !== 'string' || zone === '' || zone.toLowerCase() === 'local') return false
  try {
    return Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** Why a text is no cron schedule of five fields, a macro or `@every 1h30m`; undefined when it is one. */
function scheduleProblem(schedule: string): string | undefined {
  if (/\bTZ=/.test(schedule)) return 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'
  if (MACROS.includes(schedule) || /^@every (\d+(\.\d+)?(h|m|s|ms))+$/.test(schedule)) return undefined
  if (schedule.startsWith('@')) return `unrecognized descriptor: ${schedule}`
  const fields = schedule.trim().split(/\s+/)
  if (fields.length !== FIELDS.length) return `expected exactly 5 fields, found ${fields.length}: ${schedule}`
  for (const [index, field] of fields.entries()) {
    const bounds = FIELDS[index]
    if (bounds !== undefined && !field.split(',').every((part) => isFieldPart(part, bounds)))
      return `failed to parse ${field}: not a number, range or step from ${bounds.least} to ${bounds.greatest}`
  }
  return undefined
}

function isFieldPart(part: string, { least, greatest, names }: (typeof FIELDS)[number]): boolean {
  const value = names === '' ? '\\d{1,2}' : `\\d{1,2}|${names}`
  const match = new RegExp(`^(?:[*?]|(${value})(?:-(${value}))?)(?:/(\\d{1,2}))?$`, 'i').exec(part)
  if (match === null || match[3] === '0' || match[3] === '00') return false
  const numbers = [match[1], match[2]].filter((text) => text !== undefined && /^\d+$/.test(text)).map(Number)
  const inOrder = numbers.length < 2 || (numbers[0] ?? 0) <= (numbers[1] ?? 0)
  return inOrder && numbers.every((number) => number >= least && number <= greatest)
}
