/** SETTINGS_HEADER_TABLE_SIZE, both ways, bytes (RFC 7541 §4.2). */
export const HEADER_TABLE_BYTES = 4096
/** An encoded header block, HEADERS and its CONTINUATIONs together, bytes; more ends the connection. */
export const MAX_HEADER_BLOCK_BYTES: number = 128 * 1024
/** Frames that one header block may come in. */
export const MAX_CONTINUATIONS = 64
/** Settings in one frame; RFC 9113 defines six. */
export const MAX_SETTINGS = 32
/** Frames that cost us something and move nothing (PING, SETTINGS, PRIORITY, empty DATA, unknown types): a burst, then a rate per second. */
export const IDLE_FRAME_BURST = 10_000
export const IDLE_FRAMES_PER_SECOND = 1_000
/** Streams that a peer may reset, or make us reset: a burst, then a rate per second. */
export const RESET_BURST = 100_000
export const RESETS_PER_SECOND = 10_000
/** Answers to PING, SETTINGS and broken streams that wait while the peer does not read, bytes; more ends the connection. */
export const MAX_WAITING_CONTROL_BYTES: number = 64 * 1024
/** Answers of ours that wait while their client goes on asking and does not read, bytes; more ends the connection. */
export const MAX_WAITING_ANSWER_BYTES: number = 1024 * 1024
/** What each of them is counted for beside its header block, bytes: memory that keeps it. */
export const WAITING_ANSWER_OVERHEAD = 256
/** Numbers of streams that were reset here and on which the peer may still send. */
export const MAX_REMEMBERED_RESETS = 1024
/** Output that is gathered before it is handed on, bytes. */
export const OUTPUT_SLAB_BYTES: number = 256 * 1024
/** Payload of one DATA frame at most, bytes; peers that allow more gain nothing by it. */
export const MAX_DATA_FRAME_BYTES: number = 64 * 1024
/** Output slabs kept for the next connection that has something to say. */
export const MAX_SPARE_SLABS = 16
