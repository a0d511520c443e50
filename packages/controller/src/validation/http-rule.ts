import { grpcStatusCode } from '../watch/grpc-status-code.ts'
import { isRecord, type Json, list, record, text, texts } from '../watch/json.ts'
import { checkStringMatch } from './common-checks.ts'
import {
  durationProblem,
  headerNameProblem,
  isDnsLabel,
  labelsProblem,
  percentProblem,
  portProblem,
  wildcardProblem,
} from './field-problems.ts'
import type { Report } from './report.ts'

export interface HttpRuleContext {
  /** Of a VirtualService without hosts. */
  readonly isDelegate: boolean
  /** Claims of tokens are looked at by gateways only. */
  readonly mayMatchClaims: boolean
}

/** One rule of `spec.http`. */
export function checkHttpRule(value: unknown, path: string, report: Report, context: HttpRuleContext): void {
  if (!isRecord(value)) return report.error(path, 'must not be null')
  checkConflicts(value, path, report, context)
  for (const [i, match] of list(value['match']).entries()) checkMatch(match, `${path}.match[${i}]`, report, context)
  checkHeaders(value['headers'], `${path}.headers`, report)
  checkFault(value['fault'], `${path}.fault`, report)
  checkCors(value['corsPolicy'], `${path}.corsPolicy`, report)
  checkMirrors(value, path, report)
  checkRedirect(value['redirect'], `${path}.redirect`, report)
  checkDirectResponse(value['directResponse'], `${path}.directResponse`, report)
  checkRetries(value['retries'], `${path}.retries`, report)
  checkRewrite(value, path, report)
  checkRoute(value['route'], `${path}.route`, report)
  report.check(`${path}.timeout`, zeroDurationProblem(value['timeout']))
}

/** Zero turns a timeout off. */
function zeroDurationProblem(value: unknown): string | undefined {
  return typeof value === 'string' && /^0(\.0+)?(ms|s|m|h)$/.test(value) ? undefined : durationProblem(value)
}

function checkConflicts(rule: Json, path: string, report: Report, { isDelegate }: HttpRuleContext): void {
  const has = (field: string): boolean =>
    Array.isArray(rule[field]) ? list(rule[field]).length > 0 : isRecord(rule[field])
  if (has('delegate')) {
    if (isDelegate) report.error(`${path}.delegate`, 'a rule that is delegated to can not delegate again')
    for (const field of ['route', 'redirect'])
      if (has(field)) report.error(path, `delegate and ${field} can not stand in one rule`)
    return
  }
  for (const [one, others] of [
    ['redirect', ['route', 'fault', 'rewrite', 'directResponse']],
    ['directResponse', ['route', 'fault', 'rewrite']],
    ['mirror', ['mirrors']],
  ] as const)
    for (const other of others)
      if (has(one) && has(other)) report.error(path, `${one} and ${other} can not stand in one rule`)
  if (!has('route') && !has('redirect') && !has('directResponse'))
    report.error(path, 'one of route, redirect and directResponse is required')
}

const CLAIMS = '@request.auth.claims'

function checkMatch(value: unknown, path: string, report: Report, { mayMatchClaims }: HttpRuleContext): void {
  const match = record(value)
  for (const field of ['headers', 'withoutHeaders'])
    for (const [name, wanted] of Object.entries(record(match[field]))) {
      const at = `${path}.${field}[${name}]`
      if (name.startsWith(CLAIMS)) {
        if (!mayMatchClaims)
          report.error(at, 'claims of tokens can only be matched at a gateway: name one in spec.gateways')
      } else report.check(at, headerNameProblem(name))
      if (wanted === null && field === 'headers')
        report.error(at, 'must not be null: {} asks for the header, whatever it says')
      else if (record(wanted)['regex'] !== '*') checkStringMatch(wanted, at, report)
    }
  checkStringMatch(match['uri'], `${path}.uri`, report, { mayBeEmpty: true })
  for (const field of ['scheme', 'method', 'authority']) checkStringMatch(match[field], `${path}.${field}`, report)
  for (const [name, wanted] of Object.entries(record(match['queryParams'])))
    checkStringMatch(wanted, `${path}.queryParams[${name}]`, report)
  if (match['port'] !== undefined && match['port'] !== 0) report.check(`${path}.port`, portProblem(match['port']))
  report.check(`${path}.sourceLabels`, labelsProblem(match['sourceLabels']))
  const namespace = text(match['sourceNamespace']) ?? ''
  if (namespace !== '' && !isDnsLabel(namespace))
    report.error(`${path}.sourceNamespace`, `${JSON.stringify(namespace)} is no namespace`)
}

/** A header's value must be what RFC 9110 §5.5 lets one be. */
const HEADER_VALUE = /^[\t -~\u0080-\u00ff]*$/

function checkHeaders(value: unknown, path: string, report: Report): void {
  for (const direction of ['request', 'response'])
    for (const change of ['set', 'add'])
      for (const [name, content] of Object.entries(record(record(record(value)[direction])[change]))) {
        const at = `${path}.${direction}.${change}[${name}]`
        const authority = direction === 'request' && name.toLowerCase() === ':authority'
        if (!authority) report.check(at, headerNameProblem(name))
        if (direction === 'response' && name.toLowerCase() === 'host') report.error(at, 'an answer has no host')
        if (typeof content !== 'string' || !HEADER_VALUE.test(content)) report.error(at, 'is no value of a header')
      }
  for (const direction of ['request', 'response'])
    for (const name of texts(record(record(value)[direction])['remove'])) {
      const at = `${path}.${direction}.remove`
      report.check(at, headerNameProblem(name))
      if (name.toLowerCase() === 'host') report.error(at, 'host can not be removed')
    }
}

function checkFault(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  const { delay, abort } = value
  if (delay === undefined && abort === undefined) report.error(path, 'delay or abort is required')
  if (isRecord(delay)) {
    report.check(`${path}.delay.percentage`, percentProblem(record(delay['percentage'])['value']))
    report.check(`${path}.delay.percent`, percentProblem(delay['percent']))
    if (delay['fixedDelay'] === undefined) report.error(`${path}.delay.fixedDelay`, 'required')
    else report.check(`${path}.delay.fixedDelay`, durationProblem(delay['fixedDelay']))
  }
  if (isRecord(abort)) checkAbort(abort, `${path}.abort`, report)
}

function checkAbort(abort: Json, path: string, report: Report): void {
  report.check(`${path}.percentage`, percentProblem(record(abort['percentage'])['value']))
  const { httpStatus, grpcStatus } = abort
  if (httpStatus === undefined && grpcStatus === undefined && abort['http2Error'] === undefined)
    report.error(path, 'one of httpStatus and grpcStatus is required')
  if (httpStatus !== undefined && !isStatus(httpStatus))
    report.error(`${path}.httpStatus`, 'must be between 200 and 599')
  if (grpcStatus !== undefined && grpcStatusCode(text(grpcStatus) ?? '') === undefined)
    report.error(`${path}.grpcStatus`, `${JSON.stringify(grpcStatus)} is no name of a gRPC status, such as UNAVAILABLE`)
}

function isStatus(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 599
}

const METHODS: ReadonlySet<string> = new Set('GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE *'.split(' '))

function checkCors(value: unknown, path: string, report: Report): void {
  const policy = record(value)
  for (const [i, origin] of list(policy['allowOrigins']).entries())
    checkStringMatch(origin, `${path}.allowOrigins[${i}]`, report)
  for (const method of texts(policy['allowMethods']))
    if (!METHODS.has(method))
      report.error(`${path}.allowMethods`, `${JSON.stringify(method)} is no method CORS can allow`)
  for (const field of ['allowHeaders', 'exposeHeaders'])
    for (const name of texts(policy[field])) report.check(`${path}.${field}`, headerNameProblem(name))
  const age = policy['maxAge']
  report.check(`${path}.maxAge`, zeroDurationProblem(age))
}

function checkMirrors(rule: Json, path: string, report: Report): void {
  const share = (value: unknown, at: string): void => report.check(at, percentProblem(record(value)['value']))
  if (isRecord(rule['mirror'])) checkDestination(rule['mirror'], `${path}.mirror`, report)
  share(rule['mirrorPercentage'], `${path}.mirrorPercentage`)
  if (rule['mirrorPercent'] !== undefined) {
    report.check(`${path}.mirrorPercent`, percentProblem(rule['mirrorPercent']))
    report.warn(`${path}.mirrorPercent`, 'is deprecated: use mirrorPercentage')
  }
  for (const [i, value] of list(rule['mirrors']).entries()) {
    const mirror = record(value)
    if (!isRecord(mirror['destination'])) report.error(`${path}.mirrors[${i}].destination`, 'required')
    else checkDestination(mirror['destination'], `${path}.mirrors[${i}].destination`, report)
    share(mirror['percentage'], `${path}.mirrors[${i}].percentage`)
  }
}

const REDIRECTS: ReadonlySet<unknown> = new Set([0, 301, 302, 303, 307, 308])

function checkRedirect(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  const { uri, authority, scheme, port, derivePort, redirectCode } = value
  if ([uri, authority, scheme, port, derivePort].every((field) => field === undefined || field === '' || field === 0))
    report.error(path, 'one of uri, authority, port, derivePort and scheme is required')
  if (!REDIRECTS.has(redirectCode ?? 0))
    report.error(`${path}.redirectCode`, 'must be one of 301, 302, 303, 307 and 308')
  if (scheme !== undefined && scheme !== '' && scheme !== 'http' && scheme !== 'https')
    report.error(`${path}.scheme`, 'must be http or https')
}

/** Envoy keeps it in memory for every route. */
const MAX_BODY_BYTES = 1024 * 1024
const WARN_BODY_BYTES = 100 * 1024

function checkDirectResponse(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  if (!isStatus(value['status'])) report.error(`${path}.status`, 'must be between 200 and 599')
  const body = record(value['body'])
  const size = Math.max(
    Buffer.byteLength(text(body['string']) ?? ''),
    Buffer.byteLength(text(body['bytes']) ?? '', 'base64'),
  )
  if (size > MAX_BODY_BYTES) report.error(`${path}.body`, `has ${size} bytes, at most ${MAX_BODY_BYTES} are possible`)
  else if (size > WARN_BODY_BYTES) report.warn(`${path}.body`, `has ${size} bytes, which every proxy keeps in memory`)
}

const RETRY_WORDS: ReadonlySet<string> = new Set(
  (
    '5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream retriable-status-codes ' +
    'retriable-headers envoy-ratelimited http3-post-connect-failure cancelled deadline-exceeded internal resource-exhausted unavailable'
  ).split(' '),
)

function checkRetries(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  const { attempts } = value
  if (typeof attempts === 'number' && attempts < 0) report.error(`${path}.attempts`, 'must not be negative')
  if (attempts === 0 && (value['perTryTimeout'] !== undefined || value['retryOn'] !== undefined))
    report.error(path, 'attempts: 0 turns retries off, so that nothing else may stand beside it')
  report.check(`${path}.perTryTimeout`, zeroDurationProblem(value['perTryTimeout']))
  report.check(`${path}.backoff`, durationProblem(value['backoff']))
  for (const word of (text(value['retryOn']) ?? '').split(',').map((one) => one.trim())) {
    const isCode = /^[1-5]\d\d$/.test(word)
    if (word !== '' && !isCode && !RETRY_WORDS.has(word))
      report.error(`${path}.retryOn`, `${JSON.stringify(word)} is neither a condition nor a status code`)
  }
}

function checkRewrite(rule: Json, path: string, report: Report): void {
  const { rewrite } = rule
  if (!isRecord(rewrite)) return
  const { uri, authority, uriRegexRewrite: regex } = rewrite
  if (!uri && !authority && regex === undefined)
    report.error(`${path}.rewrite`, 'one of uri, authority and uriRegexRewrite is required')
  if (uri && regex !== undefined) report.error(`${path}.rewrite`, 'uri and uriRegexRewrite can not stand together')
  if (isRecord(regex)) {
    const [match, substitution] = [text(regex['match']) ?? '', text(regex['rewrite']) ?? '']
    if (match === '' || substitution === '')
      report.error(`${path}.rewrite.uriRegexRewrite`, 'match and rewrite are required')
    else report.checkPattern(`${path}.rewrite.uriRegexRewrite.match`, match)
  }
  const headers = record(record(rule['headers'])['request'])
  const names = [...Object.keys(record(headers['set'])), ...Object.keys(record(headers['add']))]
  if (authority && names.some((name) => [':authority', 'host'].includes(name.toLowerCase())))
    report.error(`${path}.rewrite.authority`, 'is set by headers.request too')
}

function checkRoute(value: unknown, path: string, report: Report): void {
  const routes = list(value)
  let total = 0
  for (const [i, entry] of routes.entries()) {
    const at = `${path}[${i}]`
    const { destination, weight, headers } = record(entry)
    if (!isRecord(destination)) report.error(`${at}.destination`, 'required')
    else checkDestination(destination, `${at}.destination`, report)
    if (typeof weight === 'number' && weight < 0) report.error(`${at}.weight`, 'must not be negative')
    checkHeaders(headers, `${at}.headers`, report)
    total += typeof weight === 'number' ? weight : 0
  }
  if (routes.length > 1 && total === 0) report.error(path, 'the weights of several destinations must not all be 0')
}

export function checkDestination(destination: Json, path: string, report: Report): void {
  const host = text(destination['host']) ?? ''
  if (host === '*') report.error(`${path}.host`, '* can be no destination')
  else report.check(`${path}.host`, wildcardProblem(host))
  const subset = text(destination['subset']) ?? ''
  if (subset !== '' && !isDnsLabel(subset))
    report.error(`${path}.subset`, `${JSON.stringify(subset)} is no name of a subset`)
  if (isRecord(destination['port'])) report.check(`${path}.port.number`, portProblem(destination['port']['number']))
}
