import { messageOf } from '@ambit/core'
import { FLOWS_FORMAT, type FlowsLine } from './flows.types.ts'

type Json = Readonly<Record<string, unknown>>
type Test = (value: unknown) => boolean

/** A line of a recording, or what is wrong with it. */
export function decodeFlowsLine(line: string): FlowsLine | string {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (error) {
    return `not JSON: ${messageOf(error)}`
  }
  if (!isObject(parsed)) return 'not a JSON object'
  const kind = String(parsed['kind'])
  const shape = Object.hasOwn(SHAPES, kind) ? SHAPES[kind] : undefined
  if (shape === undefined) return `unknown kind ${JSON.stringify(parsed['kind'])?.slice(0, MAX_SHOWN)}`
  const wrong = wrongIn(parsed, shape)
  return wrong === undefined ? (parsed as unknown as FlowsLine) : `${wrong} is missing, or not what it should be`
}

const MAX_SHOWN = 80

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const text: Test = (value) => typeof value === 'string'
const texts: Test = (value) => Array.isArray(value) && value.every(text)
const flag: Test = (value) => typeof value === 'boolean'
const count: Test = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const port: Test = (value) => count(value) && Number(value) <= 65_535
const oneOf =
  (...values: readonly string[]): Test =>
  (value) =>
    values.includes(String(value))
const maybe =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value)
const object =
  (shape: Readonly<Record<string, Test>>): Test =>
  (value) =>
    isObject(value) && wrongIn(value, shape) === undefined
const record =
  (test: Test): Test =>
  (value) =>
    isObject(value) && Object.values(value).every(test)
const time: Test = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value))

const verdict = object({
  allowed: flag,
  reason: text,
  policy: maybe(text),
  rule: maybe(count),
  unmatched: maybe(texts),
})
const request = object({
  method: text,
  path: text,
  host: text,
  headers: maybe(record(text)),
  claims: maybe(record(() => true)),
})

const SHAPES: Readonly<Record<string, Readonly<Record<string, Test>> | undefined>> = {
  header: {
    format: oneOf(FLOWS_FORMAT),
    startedAt: time,
    namespaces: texts,
    reads: object({ headers: texts, claims: texts }),
  },
  flow: {
    judge: oneOf('ztunnel', 'waypoint', 'gateway'),
    gateway: maybe(text),
    client: object({ identity: maybe(text), namespace: maybe(text), workload: maybe(text) }),
    service: maybe(object({ namespace: text, hostname: text, port })),
    server: maybe(object({ namespace: text, workload: text, port })),
    request: maybe(request),
    verdict: maybe(verdict),
    outcome: oneOf('allowed', 'denied', 'failed'),
    count,
    firstSeen: time,
    lastSeen: time,
  },
  gap: { at: time, message: text, count },
  end: { at: time, complete: flag, reason: text, flows: count, counted: count },
}

/** The first member that is not as it should be. */
function wrongIn(value: Json, shape: Readonly<Record<string, Test>>): string | undefined {
  return Object.keys(shape).find((name) => shape[name]?.(Object.hasOwn(value, name) ? value[name] : undefined) !== true)
}
