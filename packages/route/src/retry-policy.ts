import type { Route } from '@ambit/state'
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
type RetryConditions = 'unsent' | 'unsent-or-unavailable'

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
  const { attempts, codes, backoffMs } = route.retry
  return { ...DEFAULT, attempts, codes, backoffMs: backoffMs || RETRY_BACKOFF_MS }
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

function isUnavailable(grpcStatus: number | undefined): boolean {
  return grpcStatus === GRPC_UNAVAILABLE || grpcStatus === GRPC_CANCELLED
}

/** Before the attempt that follows `made` others: a random share of a span that doubles up to ten times the base (Envoy). */
export function retryDelayMs({ backoffMs }: RetryPolicy, made: number, random: () => number): number {
  const span = Math.min(2 ** made - 1, RETRY_BACKOFF_GROWTH) * backoffMs
  return Math.floor(random() * span)
}
