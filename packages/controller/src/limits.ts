/** A change so soon after another compile waits this long for others to join it, ms... */
export const FLUSH_QUIET_MS = 10
/** ...but never longer than this, ms. */
export const FLUSH_MAX_MS = 50
/** Workloads compiled at one go; calls and leases get their turn before the next. About 100 ms of work. */
export const FLUSH_MAX_WORKLOADS = 2_000
/** Life of the serving certificate, ms; renewed at half of it. Its key is only in memory. */
export const SERVING_TTL_MS: number = 90 * 24 * 3600 * 1000
/** How often the files of a plugged CA are looked at for changes, ms. */
export const CA_POLL_MS = 10_000
/** How long a positive answer about a token is believed, ms: a node asks for many certificates at once. */
export const TOKEN_CACHE_MS = 10_000
/** Tokens remembered at most; the oldest is forgotten. */
export const TOKEN_CACHE_SIZE = 10_000
/** Longest bearer token looked at, characters. */
export const MAX_TOKEN_LENGTH: number = 32 * 1024
/** Token reviews in flight; further callers wait. */
export const MAX_REVIEWS_IN_FLIGHT = 64
/** Tokens waiting for a review; further ones are refused. */
export const MAX_REVIEWS_WAITING = 4096
/** Concurrent gRPC streams of one connection. */
export const MAX_STREAMS_PER_CONNECTION = 1024
/** Connections older than this are asked to go away, ms, so that load spreads over replicas (Istio: 30 min). */
export const MAX_CONNECTION_AGE_MS: number = 30 * 60 * 1000
/** What still runs on an old connection may take this long, ms (Istio: 10 s). */
export const CONNECTION_GRACE_MS = 10_000
/** On SIGTERM connections get this long to end by themselves, ms. */
export const SHUTDOWN_MS = 5_000
/** Longest overlay of what is deployed for a Gateway, bytes of one key of its ConfigMap. */
export const MAX_OVERLAY_BYTES: number = 64 * 1024
/** Gateways whose objects or status are worked on at one time. */
export const GATEWAY_CONCURRENCY = 4
/** First and longest wait before a Gateway that failed is tried again, ms. */
export const GATEWAY_BACKOFF: { readonly initialMs: number; readonly maxMs: number; readonly jitter: number } = {
  initialMs: 200,
  maxMs: 30_000,
  jitter: 0.2,
}
/** Longest certificate chain, key or list of CAs of a Secret that a listener names, bytes. */
export const MAX_CREDENTIAL_BYTES: number = 256 * 1024
/** Secrets that listeners may name at one time; each is a watch of its own. */
export const MAX_WATCHED_CREDENTIALS = 500
/** At the start proxies wait this long for Secrets that listeners name, ms: a gateway that has keys must not lose them. */
export const CREDENTIALS_START_MS = 5_000
/** Question of the API server to the validation webhook, bytes: an object and the one before it, each at most 3 MiB (etcd and API server). */
export const MAX_REVIEW_BYTES: number = 8 * 1024 * 1024
/** Connections to the validation webhook at once; further ones are closed. */
export const MAX_REVIEW_CONNECTIONS = 64
/** From the first byte of such a question to the end of its headers, ms... */
export const REVIEW_HEADERS_TIMEOUT_MS = 5_000
/** ...and of all of it: the API server waits 10 s by default. */
export const REVIEW_TIMEOUT_MS = 10_000
/** Before a webhook configuration is looked at again that could not be finished, ms. */
export const WEBHOOK_RETRY_MS = 1_000
/** Listeners of one gateway: who may write Istio's Gateways in any namespace can add some. */
export const MAX_LISTENERS = 1_000
/** Bytes of such questions that are being received at once; further ones are answered 503. */
export const MAX_REVIEW_BYTES_IN_FLIGHT: number = 32 * 1024 * 1024
/** Values in an object that the webhook looks at; a larger object is let through with a warning, and its proxies judge it. */
export const MAX_REVIEWED_VALUES = 50_000
/** Characters of regular expressions in one object that are compiled to see whether they can be: about 0.3 s of work at worst. */
export const MAX_REVIEWED_PATTERN_CHARACTERS: number = 16 * 1024
/** Hosts of one VirtualService; each is compared with each (the schema's own limit is lower). */
export const MAX_COMPARED_HOSTS = 1_000
