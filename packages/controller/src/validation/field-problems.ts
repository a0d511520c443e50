import { MAX_PORT, parseCidr, parseIp } from '@ambit/core'
import { patternProblem } from '@ambit/state'
import { durationMs } from '../watch/go-duration.ts'
import { isRecord } from '../watch/json.ts'

// Each function answers what is wrong with one value, in words for who wrote it; undefined when nothing is.

const LABEL = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/
/** RFC 1035 §2.3.4. */
const MAX_NAME = 255
const MAX_LABEL = 63

export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL && LABEL.test(text)
}

/** Of a whole name, as `shop.example.com` or `reviews`. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'a name is required'
  if (name.length > MAX_NAME) return `${JSON.stringify(name)} has more than ${MAX_NAME} characters`
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.')
  const odd = labels.find((label) => !isDnsLabel(label))
  return odd === undefined
    ? undefined
    : `${JSON.stringify(name)} is no domain name: ${JSON.stringify(odd)} is no label of letters, digits and inner hyphens`
}

/** The first label may be or begin with `*`. */
export function wildcardProblem(name: string): string | undefined {
  if (name === '*') return undefined
  if (!name.startsWith('*')) return nameProblem(name)
  const rest = name.replace(/^\*[-.]?/, '')
  return rest === '' ? `${JSON.stringify(name)} is no wildcard such as *.example.com` : nameProblem(rest)
}

/** Whether everything the inner name stands for is also what the outer stands for. */
export function covers(outer: string, inner: string): boolean {
  if (outer === inner) return true
  return outer.startsWith('*') && inner.replace(/^\*/, '').endsWith(outer.slice(1))
}

export function addressProblem(value: unknown): string | undefined {
  return typeof value === 'string' && parseIp(value) !== undefined
    ? undefined
    : `${JSON.stringify(value)} is no IP address`
}

/** An address, or a network such as `10.0.0.0/8`. */
export function networkProblem(value: unknown): string | undefined {
  return typeof value === 'string' && parseCidr(value) !== undefined
    ? undefined
    : `${JSON.stringify(value)} is neither an IP address nor a network such as 10.0.0.0/8`
}

export function portProblem(value: unknown): string | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PORT
    ? undefined
    : `${JSON.stringify(value)} is no port: it must be between 1 and ${MAX_PORT}`
}

/** Durations are of whole milliseconds, at least one. */
export function durationProblem(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const ms = typeof value === 'string' ? durationMs(value) : undefined
  if (ms === undefined) return `${JSON.stringify(value)} is no duration such as 1.5s or 30ms`
  return ms >= 1 ? undefined : `${JSON.stringify(value)} is too short: at least 1ms`
}

export function percentProblem(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return typeof value === 'number' && value >= 0 && value <= 100
    ? undefined
    : `${JSON.stringify(value)} is no percentage: it must be between 0 and 100`
}

/** Names and values of labels as Kubernetes has them. */
export function labelsProblem(value: unknown): string | undefined {
  for (const [key, text] of Object.entries(isRecord(value) ? value : {})) {
    const name = key.slice(key.lastIndexOf('/') + 1)
    if (!/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(name)) return `${JSON.stringify(key)} is no label key`
    if (typeof text !== 'string' || !/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(text))
      return `${JSON.stringify(text)} is no value of a label`
  }
  return undefined
}

/** RFC 9110 §5.1. */
export function headerNameProblem(name: string): string | undefined {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ? undefined : `${JSON.stringify(name)} is no name of a header`
}

export function regexProblem(source: string): string | undefined {
  const problem = patternProblem(source)
  return problem === undefined ? undefined : `${JSON.stringify(source)} is no regular expression of RE2: ${problem}`
}
