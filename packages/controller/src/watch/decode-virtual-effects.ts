import { RETRY_CONDITIONS } from '@ambit/state'
import { completeHost } from '../compile/host-name.ts'
import type {
  BackendRef,
  Cors,
  DirectResponse,
  Fault,
  HeaderChanges,
  HeaderValue,
  Redirect,
  Rewrite,
  RouteRule,
  TextMatch,
} from '../route.types.ts'
import { textMatch } from './decode-virtual-match.ts'
import { durationMs } from './go-duration.ts'
import { grpcStatusCode } from './grpc-status-code.ts'
import { isRecord, type Json, list, portNumber, record, text, texts, unsigned } from './json.ts'

/** What reading one rule needs and collects. */
export interface RuleReader {
  readonly namespace: string
  readonly domain: string
  /** What can not be followed; the rule is answered 500 then. */
  readonly problems: string[]
  /** What is left out without harm. */
  readonly notes: string[]
}

const MILLION = 1_000_000

/** Everything of a rule but its matches. */
export function decodeVirtualEffects(rule: Json, path: string, reader: RuleReader): Omit<RouteRule, 'matches'> {
  const { problems } = reader
  const headers = headersOf(rule['headers'])
  const retries = retriesOf(rule['retries'], `${path}.retries`, reader)
  return {
    requestHeaders: headers.request,
    responseHeaders: headers.response,
    redirect: redirectOf(rule['redirect'], `${path}.redirect`, problems),
    rewrite: rewriteOf(rule['rewrite'], `${path}.rewrite`, problems),
    directResponse: directResponseOf(rule['directResponse'], `${path}.directResponse`, problems),
    mirrors: mirrorsOf(rule, path, reader),
    backends: backendsOf(rule['route'], `${path}.route`, reader),
    requestTimeoutMs: duration(rule['timeout'], `${path}.timeout`, problems),
    backendTimeoutMs: retries?.perTryMs,
    retry: retries?.retry,
    fault: faultOf(rule['fault'], `${path}.fault`, problems),
    cors: corsOf(rule['corsPolicy'], `${path}.corsPolicy`, problems),
    problems,
  }
}

/** The weight of an only destination does not count. */
export function backendsOf(value: unknown, path: string, reader: RuleReader): readonly BackendRef[] {
  const entries = list(value)
  return entries.map((entry, i) => {
    const { destination, weight, headers } = record(entry)
    const share = entries.length === 1 ? 1 : (unsigned(weight) ?? 0)
    return backendOf(destination, `${path}[${i}].destination`, share, headersOf(headers), reader)
  })
}

function backendOf(
  value: unknown,
  path: string,
  weight: number,
  headers: ReturnType<typeof headersOf>,
  { namespace, domain }: RuleReader,
): BackendRef {
  const destination = record(value)
  const host = text(destination['host']) ?? ''
  const written = record(destination['port'])['number']
  const port = portNumber(written)
  const problems: string[] = []
  if (host === '') problems.push(`${path}.host: required`)
  if (port === undefined && written !== undefined) problems.push(`${path}.port: no port`)
  return {
    group: 'networking.istio.io',
    kind: 'Hostname',
    namespace,
    name: completeHost(host, namespace, domain),
    port,
    subset: text(destination['subset']) ?? '',
    weight,
    requestHeaders: headers.request,
    responseHeaders: headers.response,
    problems,
  }
}

function headersOf(value: unknown): {
  readonly request: HeaderChanges | undefined
  readonly response: HeaderChanges | undefined
} {
  const { request, response } = record(value)
  return { request: headerChanges(request), response: headerChanges(response) }
}

function headerChanges(value: unknown): HeaderChanges | undefined {
  if (!isRecord(value)) return undefined
  return { set: headerValues(value['set']), add: headerValues(value['add']), remove: texts(value['remove']) }
}

function headerValues(value: unknown): readonly HeaderValue[] {
  return Object.entries(record(value)).map(([name, content]) => ({
    name: name.toLowerCase() === ':authority' ? 'host' : name,
    value: text(content) ?? '',
  }))
}

const DEFAULT_REDIRECT_STATUS = 301

function redirectOf(value: unknown, path: string, problems: string[]): Redirect | undefined {
  if (!isRecord(value)) return undefined
  const uri = text(value['uri'])
  const scheme = text(value['scheme']) ?? ''
  const written = portNumber(value['port'])
  const { derivePort } = value
  if (derivePort !== undefined && derivePort !== 'FROM_PROTOCOL_DEFAULT' && derivePort !== 'FROM_REQUEST_PORT')
    problems.push(`${path}.derivePort: ${JSON.stringify(derivePort)} is not understood`)
  const port = derivePort === 'FROM_PROTOCOL_DEFAULT' ? (scheme === 'https' ? 443 : 80) : (written ?? 0)
  return {
    scheme,
    hostname: text(value['authority']) ?? '',
    port,
    path: uri === undefined || uri === '' ? undefined : { kind: 'full', value: uri },
    status: unsigned(value['redirectCode']) || DEFAULT_REDIRECT_STATUS,
    keepsWrittenPort: port === 0 && derivePort === undefined,
  }
}

function rewriteOf(value: unknown, path: string, problems: string[]): Rewrite | undefined {
  if (!isRecord(value)) return undefined
  const uri = text(value['uri']) ?? ''
  const { uriRegexRewrite: regex } = value
  const hostname = text(value['authority']) ?? ''
  if (uri !== '' && isRecord(regex)) problems.push(`${path}: both uri and uriRegexRewrite`)
  if (isRecord(regex)) {
    const [pattern, substitution] = [text(regex['match']), text(regex['rewrite'])]
    if (pattern === undefined || substitution === undefined) problems.push(`${path}.uriRegexRewrite: incomplete`)
    else return { hostname, path: { kind: 'regex', pattern, value: substitution } }
  }
  return { hostname, path: uri === '' ? undefined : { kind: 'text-prefix', value: uri } }
}

function directResponseOf(value: unknown, path: string, problems: string[]): DirectResponse | undefined {
  if (!isRecord(value)) return undefined
  const body = record(value['body'])
  const [string, bytes] = [text(body['string']), text(body['bytes'])]
  const status = unsigned(value['status'])
  if (status === undefined) problems.push(`${path}.status: required`)
  return { status: status ?? 0, body: bytes === undefined ? Buffer.from(string ?? '') : Buffer.from(bytes, 'base64') }
}

function mirrorsOf(rule: Json, path: string, reader: RuleReader): RouteRule['mirrors'] {
  const one = isRecord(rule['mirror'])
    ? [
        {
          backend: backendOf(rule['mirror'], `${path}.mirror`, 1, headersOf(undefined), reader),
          perMillion: share(rule['mirrorPercentage'], rule['mirrorPercent'], MILLION),
        },
      ]
    : []
  const many = list(rule['mirrors']).map((entry, i) => {
    const { destination, percentage } = record(entry)
    const backend = backendOf(destination, `${path}.mirrors[${i}].destination`, 1, headersOf(undefined), reader)
    return { backend, perMillion: share(percentage, undefined, MILLION) }
  })
  return [...one, ...many]
}

/** A share of a million from a percentage, or from a whole number of percent in the old field. */
function share(percentage: unknown, old: unknown, otherwise: number): number {
  const value = isRecord(percentage) ? (percentage['value'] ?? 0) : old
  if (typeof value !== 'number' || !(value >= 0)) return otherwise
  return Math.min(MILLION, Math.round(value * (MILLION / 100)))
}

function retriesOf(
  value: unknown,
  path: string,
  { problems, notes }: RuleReader,
): { readonly retry: RouteRule['retry']; readonly perTryMs: number | undefined } | undefined {
  if (!isRecord(value)) return undefined
  const words = (text(value['retryOn']) ?? '').split(',').flatMap((word) => word.trim() || [])
  const codes = words.filter((word) => /^\d{3}$/.test(word)).map(Number)
  const conditions = words.filter((word) => RETRY_CONDITIONS.some((known) => known === word))
  if (conditions.length + codes.length < words.length)
    notes.push(`${path}.retryOn: some of ${words.join()} is not followed`)
  for (const field of ['retryRemoteLocalities', 'retryIgnorePreviousHosts'])
    if (value[field] !== undefined) notes.push(`${path}.${field}: not followed`)
  return {
    retry: {
      // Without a number it is none (Istio).
      attempts: unsigned(value['attempts']) ?? 0,
      codes,
      backoffMs: duration(value['backoff'], `${path}.backoff`, problems) ?? 0,
      conditions,
    },
    perTryMs: duration(value['perTryTimeout'], `${path}.perTryTimeout`, problems),
  }
}

function faultOf(value: unknown, path: string, problems: string[]): Fault | undefined {
  if (!isRecord(value)) return undefined
  const { delay, abort, ...others } = value
  for (const key of Object.keys(others)) problems.push(`${path}.${key}: not understood`)
  return {
    delay: isRecord(delay) ? delayOf(delay, `${path}.delay`, problems) : undefined,
    abort: isRecord(abort) ? abortOf(abort, `${path}.abort`, problems) : undefined,
  }
}

/** Nothing said of the share: no request. */
function delayOf(delay: Json, path: string, problems: string[]): Fault['delay'] {
  const ms = duration(delay['fixedDelay'], `${path}.fixedDelay`, problems)
  if (ms === undefined) problems.push(`${path}: only fixedDelay is understood`)
  return { perMillion: share(delay['percentage'], delay['percent'], 0), ms: ms ?? 0 }
}

function abortOf(abort: Json, path: string, problems: string[]): Fault['abort'] {
  const perMillion = share(abort['percentage'], abort['percent'], 0)
  const http = unsigned(abort['httpStatus'])
  if (http !== undefined) return { perMillion, kind: 'http', status: http }
  const grpc = grpcStatusCode(text(abort['grpcStatus']) ?? '')
  if (grpc === undefined) problems.push(`${path}: neither httpStatus nor a known grpcStatus`)
  return { perMillion, kind: 'grpc', status: grpc ?? 0 }
}

const PREFLIGHTS: ReadonlySet<unknown> = new Set([undefined, 'UNSPECIFIED', 'FORWARD', 'IGNORE'])

function corsOf(value: unknown, path: string, problems: string[]): Cors | undefined {
  if (!isRecord(value)) return undefined
  if (!PREFLIGHTS.has(value['unmatchedPreflights'])) problems.push(`${path}.unmatchedPreflights: not understood`)
  const maxAgeMs = duration(value['maxAge'], `${path}.maxAge`, problems)
  const old = texts(value['allowOrigin']).map(
    (origin): TextMatch => (origin === '*' ? { kind: 'regex', value: '.*' } : { kind: 'exact', value: origin }),
  )
  return {
    allowOrigins: [
      ...old,
      ...list(value['allowOrigins']).flatMap(
        (origin, i) => textMatch(origin, `${path}.allowOrigins[${i}]`, problems) ?? [],
      ),
    ],
    allowMethods: texts(value['allowMethods']),
    allowHeaders: texts(value['allowHeaders']),
    exposeHeaders: texts(value['exposeHeaders']),
    maxAgeSeconds: maxAgeMs === undefined ? undefined : Math.floor(maxAgeMs / 1000),
    allowCredentials: value['allowCredentials'] === true,
    answerAllPreflights: value['unmatchedPreflights'] === 'IGNORE',
  }
}

function duration(value: unknown, path: string, problems: string[]): number | undefined {
  if (value === undefined || value === null) return undefined
  const ms = durationMs(text(value))
  if (ms === undefined) problems.push(`${path}: ${JSON.stringify(value)} is no duration such as 10s`)
  return ms
}
