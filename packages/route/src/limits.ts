/** Further attempts when a route says nothing about retries, and when no route is attached (Istio). */
export const DEFAULT_RETRIES = 2

/** From which the delay before an attempt grows (Envoy). */
export const RETRY_BACKOFF_MS = 25

/** The longest delay, in multiples of the first (Envoy). */
export const RETRY_BACKOFF_GROWTH = 10

/** A host that is compared with patterns; names of DNS have 253. */
export const MAX_HOST_CHARACTERS = 255
