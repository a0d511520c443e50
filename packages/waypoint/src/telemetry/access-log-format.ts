import { formatSocketAddress } from '@ambit/core'
import { headerOf } from '../http/headers.ts'
import { MAX_LOG_VALUE_LENGTH } from '../limits.ts'
import type { LoggedRequest } from './logged-request.types.ts'

/** Istio's default format: `meshConfig.accessLogFormat` when it is empty. */
export const DEFAULT_TEXT_FORMAT: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% ' +
  '%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" ' +
  '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% ' +
  '%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n'

/** Istio's default keys of the JSON format, and one of ours. */
export const DEFAULT_JSON_FORMAT: Readonly<Record<string, string>> = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  // Ours: what flows are called by.
  stream_id: '%STREAM_ID%',
}

type Value = string | number | undefined
type Reader = (request: LoggedRequest) => Value
export type LineFormat = (request: LoggedRequest) => string

const OPERATOR = /%([A-Z_]+)(?:\(([^)]*)\))?(?::(\d+))?%|%%/g

/** Compiles Envoy's format language; an operator this proxy has no value for is `-`. The line ends in a newline. */
export function textFormat(format: string): LineFormat {
  const parts = compile(format === '' ? DEFAULT_TEXT_FORMAT : format)
  return (request) => {
    let line = ''
    for (const part of parts) line += typeof part === 'string' ? part : escaped(shown(part(request)))
    return line.endsWith('\n') ? line : `${line}\n`
  }
}

/** The same as JSON; numbers stay numbers, what is missing is null (Envoy). A format that is no JSON object is Istio's default. */
export function jsonFormat(format: string): LineFormat {
  const fields = Object.entries(jsonFields(format)).map(([key, text]) => [key, compile(text)] as const)
  return (request) => {
    const line: Record<string, Value | null> = {}
    for (const [key, parts] of fields) {
      const [only] = parts
      line[key] =
        parts.length === 1 && typeof only === 'function'
          ? (limited(only(request)) ?? null)
          : parts.map((part) => (typeof part === 'string' ? part : shown(part(request)))).join('')
    }
    return `${JSON.stringify(line)}\n`
  }
}

function jsonFields(format: string): Readonly<Record<string, string>> {
  if (format === '') return DEFAULT_JSON_FORMAT
  try {
    const parsed: unknown = JSON.parse(format)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return DEFAULT_JSON_FORMAT
    return Object.fromEntries(
      Object.entries(parsed).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
    )
  } catch {
    return DEFAULT_JSON_FORMAT
  }
}

function compile(format: string): readonly (string | Reader)[] {
  const parts: (string | Reader)[] = []
  let at = 0
  for (const match of format.matchAll(OPERATOR)) {
    if (match.index > at) parts.push(format.slice(at, match.index))
    at = match.index + match[0].length
    const [whole, name, argument, length] = match
    if (whole === '%%') parts.push('%')
    else {
      const reader = readerOf(name ?? '', argument)
      parts.push(length === undefined ? reader : (request) => cut(reader(request), Number(length)))
    }
  }
  if (at < format.length) parts.push(format.slice(at))
  return parts
}

function readerOf(name: string, argument: string | undefined): Reader {
  if (name === 'REQ' && argument !== undefined) return headerReader(argument, requestHeader)
  if (name === 'RESP' && argument !== undefined) return headerReader(argument, responseHeader)
  return OPERATORS[name] ?? (() => undefined)
}

/** `FIRST?SECOND`: the second where there is no first. */
function headerReader(argument: string, read: (request: LoggedRequest, name: string) => Value): Reader {
  const [first = '', second] = argument.toLowerCase().split('?')
  return (request) => read(request, first) ?? (second === undefined ? undefined : read(request, second))
}

function requestHeader({ record }: LoggedRequest, name: string): Value {
  switch (name) {
    case ':method':
      return record.method || undefined
    case ':path':
    case 'x-envoy-original-path':
      return record.path || undefined
    case ':authority':
    case 'host':
      return record.authority || undefined
    case 'x-request-id':
      return record.requestId || undefined
    default:
      return headerOf(record.requestHeaders, name)
  }
}

function responseHeader({ record }: LoggedRequest, name: string): Value {
  return name === 'x-envoy-upstream-service-time' && record.upstreamMs !== undefined
    ? Math.round(record.upstreamMs)
    : undefined
}

const OPERATORS: Readonly<Record<string, Reader>> = {
  START_TIME: ({ record }) => new Date(record.startedMs).toISOString(),
  PROTOCOL: ({ record }) => record.protocol || undefined,
  RESPONSE_CODE: ({ record }) => record.status,
  RESPONSE_FLAGS: ({ record }) => record.flags,
  RESPONSE_CODE_DETAILS: ({ record }) => record.details?.replaceAll(' ', '_'),
  CONNECTION_TERMINATION_DETAILS: ({ record }) => record.connectionDetails,
  UPSTREAM_TRANSPORT_FAILURE_REASON: ({ record }) => record.transportFailure,
  BYTES_RECEIVED: ({ record }) => record.receivedBytes,
  BYTES_SENT: ({ record }) => record.sentBytes,
  DURATION: ({ durationMs }) => Math.round(durationMs),
  UPSTREAM_HOST: ({ record }) => record.upstreamHost && formatSocketAddress(record.upstreamHost),
  UPSTREAM_CLUSTER: ({ record }) => record.upstreamCluster,
  UPSTREAM_CLUSTER_RAW: ({ record }) => record.upstreamCluster,
  DOWNSTREAM_LOCAL_ADDRESS: ({ downstream }) => downstream.authority,
  DOWNSTREAM_REMOTE_ADDRESS: ({ downstream }) => formatSocketAddress(downstream.remote),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ({ downstream }) => downstream.remote.ip,
  DOWNSTREAM_PEER_URI_SAN: ({ principal }) => principal,
  REQUESTED_SERVER_NAME: ({ downstream }) =>
    downstream.kind === 'gateway' ? downstream.tls?.serverName || undefined : undefined,
  ROUTE_NAME: ({ record }) => record.routeName,
  STREAM_ID: ({ id }) => id,
  GRPC_STATUS_NUMBER: ({ record }) => record.grpcStatus,
}

function shown(value: Value): string {
  const text = limited(value)
  return text === undefined || text === '' ? '-' : String(text)
}

/** No value may end its quotes, its line, or steer a terminal. */
function escaped(text: string): string {
  return text.replaceAll(UNSAFE, (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const UNSAFE = /["\\\u0000-\u001f\u007f-\u009f]/g

function limited(value: Value): Value {
  return cut(value, MAX_LOG_VALUE_LENGTH)
}

function cut(value: Value, length: number): Value {
  return typeof value === 'string' && value.length > length ? value.slice(0, length) : value
}
