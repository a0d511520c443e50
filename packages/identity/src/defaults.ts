import type { BackoffOptions } from '@ambit/core'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const DAY_MS = 24 * 60 * MINUTE_MS

/** Life of a self-signed root (Istio). */
export const ROOT_TTL_MS: number = 3650 * DAY_MS

/** Leaves are valid from a little before now, so that peers with a slow clock accept them (Istio). */
export const NOT_BEFORE_SKEW_MS: number = 2 * MINUTE_MS

/** `DEFAULT_WORKLOAD_CERT_TTL` of Istio, used when a request names no positive TTL. */
export const DEFAULT_WORKLOAD_TTL_SECONDS: number = 24 * 3600

/** `MAX_WORKLOAD_CERT_TTL` of Istio. More is an error, not clamped. */
export const MAX_WORKLOAD_TTL_SECONDS: number = 90 * 24 * 3600

/** Retry of a failed certificate request, per identity (Istio). */
export const RETRY_BACKOFF: BackoffOptions = { initialMs: SECOND_MS, maxMs: 150 * SECOND_MS, factor: 2, jitter: 0.2 }

/** While connections are waiting for an identity, its next attempt is at most this far away, whatever the backoff. */
export const DEMANDED_RETRY_MS: number = 5 * SECOND_MS

/** Renewal timers are re-armed at least this often, so that a jump of the wall clock is noticed. */
export const MAX_RENEWAL_SLEEP_MS: number = 60 * MINUTE_MS

/** A certificate is never renewed sooner than this after it was received. */
export const MIN_RENEWAL_MS: number = SECOND_MS

/** Time to reach the CA (Istio). */
export const CA_CONNECT_TIMEOUT_MS: number = 5 * SECOND_MS

/** Time for one whole request, connection included. */
export const CA_CALL_TIMEOUT_MS: number = 15 * SECOND_MS

/** HTTP/2 PING towards the CA while a call is open (Istio). */
export const CA_KEEPALIVE_MS: number = 30 * SECOND_MS
export const CA_KEEPALIVE_TIMEOUT_MS: number = 10 * SECOND_MS
