/** Objects asked for in one page of a list; the server answers the rest by `continue` (client-go's pager). */
export const LIST_PAGE_SIZE = 500
/** Longest body of one answer, bytes. A page of 500 of the largest pods stays well below. */
export const MAX_ANSWER_BYTES: number = 256 * 1024 * 1024
/** Longest line of a watch, bytes. etcd refuses objects above 1.5 MiB; encoding may double them. */
export const MAX_WATCH_LINE_BYTES: number = 8 * 1024 * 1024
/** How long one request other than a watch may take, ms. */
export const REQUEST_TIMEOUT_MS = 30_000
/** A watch is asked to end after this, drawn between once and twice, seconds (client-go: 5 to 10 minutes). */
export const WATCH_SECONDS = 300
/** A watch without even a bookmark for this long is taken for dead and made again from where it was, ms. */
export const WATCH_SILENCE_MS = 150_000
/** A watch that lasted less than this failed; a longer one is made again without a wait, ms (client-go: 1 s). */
export const SHORT_WATCH_MS = 1_000
/** First and longest wait before a failed list or watch is tried again, ms (client-go's reflector: 800 ms to 30 s). */
export const RELIST_BACKOFF: { readonly initialMs: number; readonly maxMs: number; readonly jitter: number } = {
  initialMs: 800,
  maxMs: 30_000,
  jitter: 0.2,
}
/** How soon a kind that the cluster does not have (404) is looked for again, ms. */
export const MISSING_KIND_RETRY_MS = 3_000
/** Status writes waiting at one time; the oldest is dropped beyond, its object's next change writes it again. */
export const MAX_PENDING_STATUS = 100_000
/** Status writes in flight at one time. */
export const STATUS_CONCURRENCY = 4
/** First and longest wait before a failed status write is tried again, ms. */
export const STATUS_BACKOFF: { readonly initialMs: number; readonly maxMs: number; readonly jitter: number } = {
  initialMs: 200,
  maxMs: 30_000,
  jitter: 0.2,
}
/** Connections kept open to the API server for requests; watches take one each on top. */
export const MAX_IDLE_CONNECTIONS = 64
