const SECOND = 1
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY

/** Unit, the number of seconds up to which it is used, and the next smaller unit shown beside it until then. */
const STEPS: readonly { readonly below: number; readonly unit: [string, number]; readonly rest?: [string, number] }[] =
  [
    { below: 2 * MINUTE, unit: ['s', SECOND] },
    { below: 10 * MINUTE, unit: ['m', MINUTE], rest: ['s', SECOND] },
    { below: 3 * HOUR, unit: ['m', MINUTE] },
    { below: 8 * HOUR, unit: ['h', HOUR], rest: ['m', MINUTE] },
    { below: 2 * DAY, unit: ['h', HOUR] },
    { below: 8 * DAY, unit: ['d', DAY], rest: ['h', HOUR] },
    { below: 2 * YEAR, unit: ['d', DAY] },
    { below: Number.POSITIVE_INFINITY, unit: ['y', YEAR], rest: ['d', DAY] },
  ]

/** An age as kubectl shows it: 45s, 2m3s, 14m, 5h10m, 3d4h. */
export function humanAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const step = STEPS.find(({ below }) => seconds < below)
  if (step === undefined) return ''
  const [letter, size] = step.unit
  const [restLetter, restSize] = step.rest ?? ['', 1]
  const rest = step.rest === undefined ? 0 : Math.floor((seconds % size) / restSize)
  return `${Math.floor(seconds / size)}${letter}${rest === 0 ? '' : `${rest}${restLetter}`}`
}
