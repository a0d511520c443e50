/** Open connections to the dashboard's server; further ones are closed at accept. */
export const MAX_CONNECTIONS = 64

/** Pages that follow events at a time; a further one is answered 503. */
export const MAX_EVENT_STREAMS = 8

/** Request line and headers, bytes; larger ones answer 431. An edited request is explained by GET, and is in the URL. */
export const MAX_HEADER_BYTES: number = 16 * 1024

/** Time for the headers of a request to arrive, ms; then 408. */
export const HEADERS_TIMEOUT_MS = 5_000

/** Idle time of a kept-alive connection, ms; then closed. */
export const KEEP_ALIVE_MS = 15_000

/** How long a page may leave events unread, ms; then its stream is closed, and the page asks anew. */
export const SLOW_PAGE_MS = 15_000

/** Pause between two looks at the graph, ms: what a page shows is never older. */
export const TICK_MS = 1_000

/** Time for which one point of a history stands, ms. */
export const HISTORY_STEP_MS = 2_000

/** Points of a history: 5 minutes. */
export const HISTORY_POINTS = 150

/** Span over which a rate is taken, in points of the history. */
export const RATE_POINTS = 5

/** Edges a page is sent; the others are counted and said to be left out. */
export const MAX_SHOWN_EDGES = 1_000

/** Different denials kept of one edge, those that happened last. */
export const MAX_DENIALS_PER_EDGE = 20

/** Different denials kept of all edges, those that happened last. */
export const MAX_DENIALS = 5_000

/** Denied flows that are known not to be counted again; proxies tell what they remember whenever they are asked anew. */
export const MAX_SEEN_DENIALS = 50_000

/** Questions explained at a time; a further one is answered 429. */
export const MAX_EXPLAINED_AT_ONCE = 4

/** Headers of one explained request. */
export const MAX_ASKED_HEADERS = 64

/** Time during which the address that opens a browser works, ms, and then only once. */
export const LAUNCH_MS = 60_000

/** All files of the page together, bytes. */
export const MAX_PAGE_BYTES = 100_000
