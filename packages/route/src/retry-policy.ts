import type { RetryCondition, Route } from '@ambit/state'
import { DEFAULT_RETRIES, RETRY_BACKOFF_GROWTH, RETRY_BACKOFF_MS } from './limits.ts'

export interface RetryPolicy {
  /** Further attempts after the first. */
  readonly attempts: number
  readonly on: RetryConditions
  readonly codes: readonly number[]
  readonly backoffMs: number
}

/**
 * `unsent`: what ends an attempt before the endpoint was sent the request. `unsent-or-unavailable`: also when the endpoint
 * refuses the stream or answers that it is unavailable.
 */
type RetryConditions = 'unsent' | 'unsent-or-unavailable' | ReadonlySet<RetryCondition>

/** How an attempt ended, before anything of an answer went to the client. */
export type AttemptOutcome =
  | { readonly kind: 'connect-failure' }
  /** The endpoint said it has not looked at the request: REFUSED_STREAM, or GOAWAY below the stream. */
  | { readonly kind: 'refused-stream' }
  /** `sent`: the request's headers were written. */
  | { readonly kind: 'reset'; readonly sent: boolean }
  | { readonly kind: 'timeout' }
  /** `grpcStatus`: when it stands in the headers of the answer. */
  | { readonly kind: 'answer'; readonly status: number; readonly grpcStatus?: number | undefined }

export interface AttemptFacts {
  /** Attempts made so far, this one included. */
  readonly made: number
  /** Bytes of the body that were sent can be sent again, or none were. */
  readonly bodyRepeatable: boolean
}

export type RetryVerdict =
  | { readonly retry: true }
  | { readonly retry: false; readonly reason: 'not-retriable' | 'attempts-used-up' | 'body-gone' }

const WITHOUT_ROUTE: RetryPolicy = {
  attempts: DEFAULT_RETRIES,
  on: 'unsent',
  codes: [],
  backoffMs: RETRY_BACKOFF_MS,
}
const DEFAULT: RetryPolicy = { ...WITHOUT_ROUTE, on: 'unsent-or-unavailable' }

export function retryPolicyOf(route: Route | undefined): RetryPolicy {
  if (route === undefined) return WITHOUT_ROUTE
  if (route.retry === undefined) return DEFAULT
  const { attempts, codes, backoffMs, conditions } = route.retry
  // Codes alone stand beside the default conditions.
  const on = conditions.length === 0 ? DEFAULT.on : new Set(conditions)
  return { attempts, on, codes, backoffMs: backoffMs || RETRY_BACKOFF_MS }
}

/** Whether a request is tried again after an attempt; with what delay says {@link retryDelayMs}. */
export function judgeRetry(policy: RetryPolicy, outcome: AttemptOutcome, facts: AttemptFacts): RetryVerdict {
  if (!isRetriable(policy, outcome)) return { retry: false, reason: 'not-retriable' }
  if (facts.made > policy.attempts) return { retry: false, reason: 'attempts-used-up' }
  return facts.bodyRepeatable ? { retry: true } : { retry: false, reason: 'body-gone' }
}

const GRPC_CANCELLED = 1
const GRPC_UNAVAILABLE = 14

function isRetriable({ on, codes }: RetryPolicy, outcome: AttemptOutcome): boolean {
  if (typeof on !== 'string') return codes.includes(statusOf(outcome)) || [...on].some((one) => holds(one, outcome))
  switch (outcome.kind) {
    case 'connect-failure':
      return true
    case 'refused-stream':
      return on === 'unsent-or-unavailable'
    case 'reset':
      return !outcome.sent
    case 'timeout':
      return false
    case 'answer':
      return codes.includes(outcome.status) || (on === 'unsent-or-unavailable' && isUnavailable(outcome.grpcStatus))
  }
}

/** What a client would see of the attempt; failures look like 503 and 504 (Envoy). */
function statusOf(outcome: AttemptOutcome): number {
  if (outcome.kind === 'answer') return outcome.status
  return outcome.kind === 'timeout' ? 504 : 503
}

const GRPC_CODES: Readonly<Partial<Record<RetryCondition, number>>> = {
  cancelled: GRPC_CANCELLED,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: GRPC_UNAVAILABLE,
}

/** Envoy's conditions, one at a time. */
function holds(condition: RetryCondition, outcome: AttemptOutcome): boolean {
  switch (condition) {
    case '5xx':
      return statusOf(outcome) >= 500
    case 'gateway-error':
      return [502, 503, 504].includes(statusOf(outcome))
    case 'reset':
      return outcome.kind !== 'answer'
    case 'reset-before-request':
      return outcome.kind === 'connect-failure' || (outcome.kind === 'reset' && !outcome.sent)
    case 'connect-failure':
      return outcome.kind === 'connect-failure'
    case 'refused-stream':
      return outcome.kind === 'refused-stream'
    case 'retriable-4xx':
      return statusOf(outcome) === 409
    case 'retriable-status-codes':
      // The codes themselves say which.
      return false
    default:
      return outcome.kind === 'answer' && outcome.grpcStatus === GRPC_CODES[condition]
  }
}

function isUnavailable(grpcStatus: number | undefined): boolean {
  return grpcStatus === GRPC_UNAVAILABLE || grpcStatus === GRPC_CANCELLED
}

/** Before the attempt that follows `made` others: a random share of a span that doubles up to ten times the base (Envoy). */
export function retryDelayMs({ backoffMs }: RetryPolicy, made: number, random: () => number): number {
  const span = Math.min(2 ** made - 1, RETRY_BACKOFF_GROWTH) * backoffMs
  return Math.floor(random() * span)
}
