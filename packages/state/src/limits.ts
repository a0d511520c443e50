/** How long a new pod's connection waits for its own workload to arrive from the control plane (Istio: 5 s). */
export const LOCAL_WORKLOAD_WAIT_MS = 5_000

/** Text of one regular expression of a route (a header's value in Gateway API). */
export const MAX_PATTERN_CHARACTERS = 4_096

/** Instructions a regular expression compiles to; matching costs at most this for each character. */
export const MAX_PATTERN_INSTRUCTIONS = 2_048

/** Further attempts of one request. */
export const MAX_RETRIES = 25

/** First delay before another attempt; the longest is ten times this. */
export const MAX_RETRY_BACKOFF_MS = 3_600_000

/** What a timer of Node can wait; a longer timeout would end at once. */
export const MAX_TIMEOUT_MS = 2_147_483_647

/** To an endpoint, when the settings name none (Istio). */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

/** A request held up on purpose: one that waits longer only takes a place away. */
export const MAX_FAULT_DELAY_MS = 3_600_000

/** Values of one kind kept for others to share; when there are more, sharing starts anew. */
export const MAX_INTERNED = 16_384

/** Resources of one change that are taken in one step; more are read in pieces between which the event loop turns. */
export const MAX_RESOURCES_PER_STEP = 256

/** One such piece. */
export const SLICE_MS = 5
