import { AmbitError, codeOf, messageOf } from '@ambit/core'
import type { Denial } from '@ambit/policy'
import { MAX_FAILURE_TEXT, MAX_POLICIES_IN_LOG } from './limits.ts'

export type FailureCode =
  | 'policy-denied'
  | 'policy-changed'
  | 'connect-failed'
  | 'connect-timeout'
  | 'hbone-timeout'
  | 'tls'
  | 'http2'
  | 'http-status'
  | 'identity'
  | 'no-healthy-upstream'
  | 'unknown-waypoint'
  | 'no-route'
  | 'cross-network'
  | 'self-call'
  | 'not-connect'
  | 'bad-authority'
  | 'ip-mismatch'
  | 'unknown-local-workload'
  | 'illegal-port'
  | 'unknown-service'
  | 'copy'
  | 'drained'
  | 'pod-removed'
  | 'too-many-connections'
  | 'internal'

export type ResponseFlag =
  | '-'
  | 'DENY'
  | 'CONNECT'
  | 'TLS_FAILURE'
  | 'H2_HANDSHAKE_FAILURE'
  | 'NETWORK_POLICY'
  | 'IDENTITY_ERROR'

interface Appearance {
  readonly flag: ResponseFlag
  /** What an HBONE client is answered while nothing has been answered yet. */
  readonly status: number
}

const CONNECT_503: Appearance = { flag: 'CONNECT', status: 503 }
const CONNECT_400: Appearance = { flag: 'CONNECT', status: 400 }

/** How each failure looks from outside: the metric's flag and the status towards HBONE clients (Istio). */
const APPEARANCE: Readonly<Record<FailureCode, Appearance>> = {
  'policy-denied': { flag: 'DENY', status: 401 },
  'policy-changed': { flag: 'DENY', status: 401 },
  'connect-failed': CONNECT_503,
  'connect-timeout': CONNECT_503,
  'hbone-timeout': { flag: 'NETWORK_POLICY', status: 503 },
  tls: { flag: 'TLS_FAILURE', status: 503 },
  http2: { flag: 'H2_HANDSHAKE_FAILURE', status: 503 },
  'http-status': CONNECT_503,
  identity: { flag: 'IDENTITY_ERROR', status: 503 },
  'no-healthy-upstream': CONNECT_503,
  'unknown-waypoint': CONNECT_503,
  'no-route': CONNECT_503,
  'cross-network': CONNECT_503,
  'self-call': CONNECT_503,
  'not-connect': CONNECT_400,
  'bad-authority': CONNECT_400,
  'ip-mismatch': CONNECT_400,
  'unknown-local-workload': CONNECT_503,
  'illegal-port': CONNECT_503,
  'unknown-service': CONNECT_503,
  copy: CONNECT_503,
  drained: CONNECT_503,
  'pod-removed': CONNECT_503,
  'too-many-connections': CONNECT_503,
  internal: CONNECT_503,
}

/** A connection that did not work out, with the text its access log line has. */
export class ConnectionFailure extends AmbitError {
  override readonly code: FailureCode
  /** Policies that decided, `namespace/name` joined by commas: the one that denied, or the ALLOW ones that did not match. */
  readonly policies: string | undefined
  /** What policy said, where it refused. */
  readonly denial: Denial | undefined

  constructor(code: FailureCode, message: string, options?: ErrorOptions & { readonly denial?: Denial }) {
    super(message.length > MAX_FAILURE_TEXT ? `${message.slice(0, MAX_FAILURE_TEXT)}...` : message, options)
    this.code = code
    this.denial = options?.denial
    this.policies = options?.denial && policiesOf(options.denial)
  }

  get flag(): ResponseFlag {
    return APPEARANCE[this.code].flag
  }

  get status(): number {
    return APPEARANCE[this.code].status
  }
}

/** A refusal at the start of a connection. */
export function deniedAtStart(denial: Denial): ConnectionFailure {
  const text = `connection closed due to policy rejection: ${denial.reason}`
  return new ConnectionFailure('policy-denied', text, { denial })
}

/** A connection that was let in and would not be now. */
export function deniedLater(denial: Denial): ConnectionFailure {
  return new ConnectionFailure('policy-changed', 'connection closed due to policy change', { denial })
}

function policiesOf({ policy, unmatched }: Denial): string {
  const names = policy === undefined ? (unmatched ?? []) : [policy]
  const shown = names.slice(0, MAX_POLICIES_IN_LOG).join(',')
  return names.length > MAX_POLICIES_IN_LOG ? `${shown},...` : shown
}

/** System errors that a peer's death or refusal causes; the rest of an unknown error is our own fault. */
const CONNECT_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EPIPE',
  'ENOTCONN',
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
])

/** Failure of a dial towards an application or a plain destination. */
export function dialFailure(error: unknown): ConnectionFailure {
  if (error instanceof ConnectionFailure) return error
  const code = codeOf(error)
  if (code === 'ETIMEDOUT')
    return new ConnectionFailure('connect-timeout', 'connection failed: deadline has elapsed', { cause: error })
  return new ConnectionFailure('connect-failed', `connection failed: ${messageOf(error)}`, { cause: error })
}

/** Failure of a byte stream under way. */
export function copyFailure(error: unknown): ConnectionFailure {
  if (error instanceof ConnectionFailure) return error
  const code = codeOf(error)
  if (code !== undefined && CONNECT_CODES.has(code))
    return new ConnectionFailure('copy', `io error: ${messageOf(error)}`, { cause: error })
  return new ConnectionFailure('copy', messageOf(error), { cause: error })
}
