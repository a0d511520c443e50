const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE
const SECOND_MS = 1000

/** Streams one HBONE connection carries at once (Istio's waypoint). */
export const MAX_STREAMS_PER_CONNECTION = 100

/** Tunnels open at once in one waypoint. */
export const MAX_TUNNELS = 16_384

/**
 * Connections of clients in one gateway, from accept to the end. No client address has a share: behind a load balancer, or where the node
 * translates addresses, all clients have one.
 */
export const MAX_GATEWAY_CONNECTIONS = 32_768

/** From accept to the end of a client's TLS handshake (Istio's gateways have 15 s). */
export const TLS_HANDSHAKE_TIMEOUT_MS: number = 15 * SECOND_MS

/** Connections whose listener is gone, or lets in by other terms, may finish this long (Istio's `drainDuration`). */
export const LISTENER_DRAIN_MS: number = 45 * SECOND_MS

/** Delays before a gateway tries again to listen at a port. */
export const LISTEN_RETRY_MS: number = SECOND_MS
export const LISTEN_RETRY_MAX_MS: number = 30 * SECOND_MS

/** No client address takes more than this part, one divided by it, of all tunnels or requests. */
export const CLIENT_SHARES = 4

/** Request and response header blocks, request line included, bytes (Envoy). */
export const MAX_HEADER_BYTES: number = 60 * KIBIBYTE

/** Header lines of one message (Envoy). */
export const MAX_HEADER_LINES = 100

/** Interim answers (1xx) of an endpoint to one request. */
export const MAX_INTERIM_ANSWERS = 32

/** Path and query of a request, characters. */
export const MAX_TARGET_LENGTH: number = 32 * KIBIBYTE

/** Requests of one HTTP/1.1 connection that wait for the one ahead of them. */
export const MAX_PIPELINED_REQUESTS = 64

/** From the first byte of a request to the end of its header block; of HTTP/2 also from the start of a connection to its SETTINGS. */
export const REQUEST_HEADERS_TIMEOUT_MS: number = 10 * SECOND_MS

/** What is left of a request's body when all of its answer is sent may take this long. */
export const REQUEST_REST_TIMEOUT_MS: number = 30 * SECOND_MS

/** How often header blocks under way are looked at. */
export const HEADERS_CHECK_MS: number = SECOND_MS

/** A tunnel without any byte of a request, before the first one and between two (Envoy). */
export const IDLE_TIMEOUT_MS: number = 3600 * SECOND_MS

/** A client that was answered for the last time may go on sending for so long. */
export const CLOSE_LINGER_MS: number = 2 * SECOND_MS

/** Bytes from the start of a connection that protocol detection looks at. */
export const SNIFF_BYTES: number = 4 * KIBIBYTE

/** Time protocol detection waits for a client that says nothing, or too little, on a port without a declared protocol. */
export const SNIFF_TIMEOUT_MS: number = 5 * SECOND_MS

/** Body bytes kept so that a request can be sent again. */
export const MAX_REPLAY_BYTES: number = 64 * KIBIBYTE

/** Bytes of body waiting towards a mirror; a slower one is given up. */
export const MAX_MIRROR_BACKLOG_BYTES: number = MEBIBYTE

/** Copies of requests on their way to mirrors. */
export const MAX_MIRRORED_REQUESTS = 1024

/** A mirrored request may take this long. */
export const MIRROR_TIMEOUT_MS: number = 30 * SECOND_MS

/** Body bytes waiting to be written to one side before the other is paused. */
export const BODY_BUFFER_BYTES: number = 256 * KIBIBYTE

/** Connect timeout to an endpoint until the control plane's settings say another (Istio `connectTimeout`). */
export const DEFAULT_CONNECT_TIMEOUT_MS: number = 10 * SECOND_MS

/** Idle HTTP/1.1 connections kept for one endpoint. */
export const MAX_IDLE_PER_ENDPOINT = 128

/** Idle HTTP/1.1 connections kept in all. */
export const MAX_IDLE_CONNECTIONS = 4096

/** An upstream connection nobody uses (Envoy has an hour; an application's own keep-alive is nearly always shorter). */
export const UPSTREAM_IDLE_MS: number = 60 * SECOND_MS

/** HTTP/2 connections kept for one endpoint; each takes as many streams as its peer allows. */
export const MAX_HTTP2_PER_ENDPOINT = 64

/** Requests under way upstream in one waypoint; further ones are answered 503. */
export const MAX_UPSTREAM_REQUESTS = 65_536

/** Streams at once in one HTTP/2 connection of a client. */
export const MAX_HTTP2_STREAMS = 100

/** Flow control of inner HTTP/2 connections, bytes. */
export const HTTP2_STREAM_WINDOW_BYTES: number = 256 * KIBIBYTE
export const HTTP2_CONNECTION_WINDOW_BYTES: number = MEBIBYTE

/** Frames of one inner HTTP/2 connection gathered before they are handed on, bytes, and how many such pieces of memory are kept. */
export const HTTP2_SLAB_BYTES: number = 16 * KIBIBYTE
export const HTTP2_SPARE_SLABS = 256

/** Pieces of output, one for each turn that said something, that may wait unsent before what they answer counts as not read. */
export const HTTP2_UNWRITTEN_PIECES = 1024

/** Streams a client may reset, or make us reset: a burst, then a rate per second. At the limit its connection is ended. */
export const HTTP2_RESET_BURST = 1000
export const HTTP2_RESETS_PER_SECOND = 33

/** Frames of a client that cost something and move nothing (PING, SETTINGS, PRIORITY, empty DATA): a burst, then a rate per second. */
export const HTTP2_IDLE_FRAME_BURST = 1000
export const HTTP2_IDLE_FRAMES_PER_SECOND = 100

/** Streams refused because a client opened too many, after which its HTTP/2 session is ended. */
export const HTTP2_MAX_REJECTED_STREAMS = 100

/** Names of endpoints that DNS was asked for and are kept. */
export const MAX_RESOLVED_NAMES = 1024

/** How long an answer of DNS is used. */
export const RESOLVED_NAME_TTL_MS: number = 30 * SECOND_MS

/** Label sets of requests that are kept ready. */
export const MAX_GATHERED_SERIES = 4096

/** Text of one value in an access log line, characters. */
export const MAX_LOG_VALUE_LENGTH = 2048

/** At least this long a waypoint that was told to end serves what still comes (Istio `MINIMUM_DRAIN_DURATION`). */
export const MIN_DRAIN_MS: number = 5 * SECOND_MS

/** What is open this long after the order to end is cut. Kubernetes kills at 30 s. */
export const DRAIN_DEADLINE_MS: number = 25 * SECOND_MS

/** Requests held up on purpose at once; further ones are not. */
export const MAX_DELAYED_REQUESTS = 4096

/** An endpoint that failed again and again is out of use so long at most, if no longer first time is asked for (Envoy). */
export const MAX_EJECTION_MS: number = 300 * SECOND_MS
