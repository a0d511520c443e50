/** Largest request body; etcd's limit behind a real API server is about half of it. */
export const MAX_BODY_BYTES: number = 3 * 1024 * 1024
/** Largest request header block. */
export const MAX_HEADER_BYTES: number = 64 * 1024
/** Objects of all kinds together; creating more answers 507. */
export const MAX_OBJECTS = 50_000
/** Changes kept for watches that resume; older resourceVersions answer 410 Expired. */
export const MAX_HISTORY_EVENTS = 10_000
/** Concurrent watches over HTTP and in process; more answer 429. */
export const MAX_WATCHES = 2_000
/** Bytes queued for a watcher that doesn't read; then its connection is dropped and it lists again. */
export const MAX_WATCH_BUFFER_BYTES: number = 8 * 1024 * 1024
/** Events queued for an in-process watcher that doesn't read; then its watch fails with 410. */
export const MAX_WATCH_QUEUE_EVENTS = 10_000
/** How often a quiet watch that asked for bookmarks gets one. */
export const BOOKMARK_INTERVAL_MS = 60_000
/** Longest watch when the client names no timeout (kube-apiserver: 30 to 60 min). */
export const DEFAULT_WATCH_TIMEOUT_MS: number = 30 * 60_000
/** Paged lists kept consistent at a time; the oldest is forgotten and its continue token answers 410. */
export const MAX_LIST_SNAPSHOTS = 100
/** Open exec, attach, log and port-forward sessions; more answer 429. */
export const MAX_STREAM_SESSIONS = 500
/** Largest WebSocket message of a peer; the session is closed with 1009. */
export const MAX_WEBSOCKET_MESSAGE_BYTES: number = 4 * 1024 * 1024
/** Largest SPDY frame of a peer; the session is ended. */
export const MAX_SPDY_FRAME_BYTES: number = 1024 * 1024
/** Largest decompressed SPDY header block; the session is ended. */
export const MAX_SPDY_HEADER_BYTES: number = 64 * 1024
/** Streams of one SPDY session; more are reset. */
export const MAX_SPDY_STREAMS = 512
/** Nesting of JSON, YAML, protobuf and schemas. */
export const MAX_DEPTH = 100
/** Connections to the API port. */
export const MAX_CONNECTIONS = 2_000
/** Lifetime of a token when the request names none, and the longest that is granted. */
export const DEFAULT_TOKEN_SECONDS = 3600
export const MAX_TOKEN_SECONDS: number = 48 * 3600
/** Shortest token lifetime (Kubernetes: 10 minutes). */
export const MIN_TOKEN_SECONDS = 600
/** Sum of the annotations' keys and values of one object (Kubernetes). */
export const MAX_ANNOTATION_BYTES: number = 256 * 1024
/** Content of one ConfigMap or Secret (Kubernetes). */
export const MAX_CONFIG_BYTES: number = 1024 * 1024
/** Time a session may take for its upgrade to get all its streams. */
export const STREAM_SETUP_TIMEOUT_MS = 30_000
/** Time of all CEL rules of one object together. */
export const MAX_CEL_MS = 2_000
/** Largest number of findings reported for one object. */
export const MAX_CAUSES = 100
/** How long an Event is kept after it was last seen (kube-apiserver's default). */
export const EVENT_TTL_MS: number = 60 * 60_000
/** Events kept at most; the oldest go first. */
export const MAX_EVENTS = 5_000
/** How often Events are looked through. */
export const EVENT_SWEEP_MS = 60_000
/** Longest bearer token looked at, bytes; longer ones answer 401. */
export const MAX_TOKEN_BYTES: number = 16 * 1024
/** Managers by update that an object remembers (Kubernetes); the oldest are folded together. */
export const MAX_UPDATE_MANAGERS = 10
/** Longest text a rule may try a regular expression on, characters; the rule then fails. */
export const MAX_MATCHED_CHARACTERS: number = 64 * 1024
/** Operations of one JSON patch (kube-apiserver); more answer 400. */
export const MAX_PATCH_OPERATIONS = 10_000
/** Time for a whole request to arrive, headers and body; then 408. */
export const REQUEST_TIMEOUT_MS = 60_000
/** Objects of a list that are encoded in one turn; longer lists are sent in slices. */
export const LIST_SLICE = 200
/** Objects deleted in one turn by the deletion of a collection, of a namespace, or of their owner. */
export const DELETE_SLICE = 20
/** Times a write begins again because its object changed while webhooks were asked; then it answers 409. */
export const MAX_ADMISSION_RESTARTS = 5
/** Largest answer of a webhook; then it counts as failed. */
export const MAX_WEBHOOK_RESPONSE_BYTES: number = 3 * 1024 * 1024
/** Calls to webhooks at a time; further ones wait. */
export const MAX_WEBHOOK_CALLS = 64
