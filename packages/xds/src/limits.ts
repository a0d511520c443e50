/** Largest response a client takes (Istio's ztunnel: 200 MiB). */
export const MAX_RESPONSE_BYTES: number = 200 * 1024 * 1024
/** Largest request a server takes: a reconnecting client lists every name it holds, about 100 bytes each. */
export const MAX_REQUEST_BYTES: number = 64 * 1024 * 1024
/** Payload after which a push is continued in the next one. A first answer is never split: it opens the client's gate. */
export const MAX_PUSH_BYTES: number = 8 * 1024 * 1024
/** Encoded resources kept to send them to further clients: what a burst of changes touches; then all are dropped. */
export const MAX_SHARED_BYTES: number = 4 * 1024 * 1024
/** Streams one server holds; further ones get RESOURCE_EXHAUSTED and go to another replica. */
export const MAX_STREAMS = 5_000
/** Types one stream may ask for. */
export const MAX_TYPES_PER_STREAM = 16
/** Names one stream may subscribe to for one type. */
export const MAX_SUBSCRIBED_NAMES = 100_000
/** Names a client demands at one time: with what is sent along with them it must stay below the server's limit. */
export const MAX_DEMANDED_NAMES = 50_000
/** Bytes of the text of a NACK; what was refused beyond is counted. */
export const MAX_NACK_TEXT: number = 8 * 1024
/** Resources of one response that a client reads in one step; more are read in pieces between which the event loop turns. */
export const MAX_RESOURCES_PER_STEP = 256
/** Bytes of a response that is read in the turn of the loop in which it came. */
export const MAX_BYTES_PER_STEP: number = 256 * 1024
/** One such piece. */
export const READ_SLICE_MS = 5
export const MAX_TOKEN_BYTES: number = 64 * 1024
export const MAX_ROOTS_BYTES: number = 1024 * 1024
/** Stream age after which the server ends it cleanly, so that load spreads over replicas (Istio: 30 min). */
export const STREAM_MAX_AGE_MS: number = 30 * 60_000
/** Time a new stream has to say who it is and be believed; until then it costs a place. */
export const ADMISSION_TIMEOUT_MS = 10_000
/** Silence after a push after which the client is taken for stuck and its stream ended. */
export const ACK_TIMEOUT_MS = 60_000
/** A change waits this long for others to join it... */
export const DEBOUNCE_MS = 20
/** ...but never longer than this. */
export const DEBOUNCE_MAX_MS = 1_000
export const CONNECT_TIMEOUT_MS = 5_000
export const KEEPALIVE_MS = 30_000
export const KEEPALIVE_TIMEOUT_MS = 10_000
/** Delay before a reconnect: 10 ms, doubled up to 15 s (Istio). */
export const BACKOFF: { readonly initialMs: number; readonly maxMs: number } = { initialMs: 10, maxMs: 15_000 }
