/** Series one metric family may hold; further label sets are counted in `ambit_metric_series_dropped_total` instead. */
export const MAX_SERIES_PER_FAMILY = 20_000

/** Open connections of one administration server; further ones are closed at accept. */
export const ADMIN_MAX_CONNECTIONS = 128

/** Body of a request to an administration server, bytes; larger ones answer 413. */
export const ADMIN_MAX_BODY_BYTES: number = 64 * 1024

/** Header block of a request to an administration server, bytes; larger ones answer 431. */
export const ADMIN_MAX_HEADER_BYTES: number = 16 * 1024

/** Time for the header block to arrive, ms; then 408. */
export const ADMIN_HEADERS_TIMEOUT_MS = 5_000

/** Time for a whole request to arrive, ms; then 408. */
export const ADMIN_REQUEST_TIMEOUT_MS = 10_000

/** Idle time of a kept-alive connection to an administration server, ms; then closed. */
export const ADMIN_KEEP_ALIVE_TIMEOUT_MS = 15_000

/** Time a connection may stay without any byte in either direction, ms (a stuck reader of a large dump); then closed. */
export const ADMIN_SOCKET_TIMEOUT_MS = 60_000

/** Longest log filter that is read, characters; longer ones answer 400. */
export const MAX_FILTER_LENGTH = 4096

/** Log text gathered before it is written at once, characters. */
export const LOG_FLUSH_CHARS: number = 64 * 1024

/** Tries, 1 ms apart, against a full pipe before log lines are given up: a stuck reader cannot stop the process for ever. */
export const LOG_WRITE_RETRIES = 100
