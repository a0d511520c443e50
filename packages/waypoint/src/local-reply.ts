import type { HeaderList } from '@ambit/route'
import type { ResponseFlag } from './telemetry/response-flags.ts'
import type { UpstreamError, UpstreamFailure } from './upstream/errors.ts'

/** An answer of the waypoint's own. */
export interface LocalReply {
  readonly status: number
  readonly body: string | Uint8Array
  readonly flag?: ResponseFlag | undefined
  /** RESPONSE_CODE_DETAILS of the access log. */
  readonly details: string
  readonly headers?: HeaderList | undefined
  readonly transportFailure?: string | undefined
  /** For a gRPC client, in place of the one that goes with the status. */
  readonly grpcStatus?: number | undefined
}

export function denied(details: string): LocalReply {
  return { status: 403, body: 'RBAC: access denied', details }
}

export const NO_ROUTE: LocalReply = { status: 404, body: '', flag: 'NR', details: 'route_not_found' }
export const NO_HEALTHY_UPSTREAM: LocalReply = {
  status: 503,
  body: 'no healthy upstream',
  flag: 'UH',
  details: 'no_healthy_upstream',
}
export const CLUSTER_NOT_FOUND: LocalReply = { status: 503, body: '', flag: 'NC', details: 'cluster_not_found' }
export const REQUEST_TIMEOUT: LocalReply = {
  status: 504,
  body: 'upstream request timeout',
  flag: 'UT',
  details: 'response_timeout',
}
export const ATTEMPT_TIMEOUT: LocalReply = {
  status: 504,
  body: 'upstream request timeout',
  flag: 'UT',
  details: 'upstream_per_try_timeout',
}
export const OVERFLOW: LocalReply = {
  status: 503,
  body: 'upstream connect error or disconnect/reset before headers. reset reason: overflow',
  flag: 'UO',
  details: 'upstream_reset_before_response_started{overflow}',
}
/** A tunnel inside the tunnel could not be judged (Envoy: no such upgrade). */
export const NO_CONNECT: LocalReply = { status: 403, body: '', details: 'upgrade_failed' }
export const BAD_PATH: LocalReply = { status: 400, body: '', details: 'path_normalization_failed' }

interface Appearance {
  readonly status: number
  readonly flag: ResponseFlag
  readonly reason: string
}

const APPEARANCE: Readonly<Record<UpstreamFailure, Appearance>> = {
  'connect-failed': { status: 503, flag: 'UF', reason: 'remote connection failure' },
  'connect-timeout': { status: 503, flag: 'UF', reason: 'connection timeout' },
  'refused-stream': { status: 503, flag: 'UR', reason: 'remote refused stream reset' },
  terminated: { status: 503, flag: 'UC', reason: 'connection termination' },
  reset: { status: 503, flag: 'UR', reason: 'remote reset' },
  'protocol-error': { status: 502, flag: 'UPE', reason: 'protocol error' },
  overflow: { status: 503, flag: 'UO', reason: 'overflow' },
}

/** How a failed attempt looks to the client when no other follows. */
export function replyOfFailure(error: UpstreamError): LocalReply {
  const { status, flag, reason } = APPEARANCE[error.failure]
  const why = error.failure === 'connect-failed' ? `, transport failure reason: ${error.message}` : ''
  return {
    status,
    flag,
    // The client is told no addresses of endpoints; the log is.
    body: `upstream connect error or disconnect/reset before headers. reset reason: ${reason}`,
    details: `upstream_reset_before_response_started{${`${reason}${why}`.replaceAll(/\s+/g, '_')}}`,
    transportFailure: error.failure === 'connect-failed' ? error.message : undefined,
  }
}

export function flagOfFailure(failure: UpstreamFailure): ResponseFlag {
  return APPEARANCE[failure].flag
}

/** The status a gRPC client gets in place of an HTTP one (grpc's http-grpc-status-mapping). */
export function grpcStatusOf(httpStatus: number): number {
  return GRPC_STATUS[httpStatus] ?? 2
}

const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
}
