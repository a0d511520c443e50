const MEBIBYTE = 1024 * 1024
const SECOND_MS = 1000

/** Streams one pooled connection carries at most before it leaves the pool (Istio `POOL_MAX_STREAMS_PER_CONNECTION`). */
export const MAX_STREAMS_PER_CONNECTION = 100

/** SETTINGS_MAX_CONCURRENT_STREAMS of the server (Istio). */
export const MAX_CONCURRENT_STREAMS = 200

/** SETTINGS_MAX_HEADER_LIST_SIZE, bytes (Istio). */
export const MAX_CLIENT_HEADER_LIST_BYTES = 16384
export const MAX_SERVER_HEADER_LIST_BYTES = 65536

/** Connections of one server whose handshake is not complete. */
export const MAX_PENDING_HANDSHAKES = 512

/** One source address may take one of so many equal shares of them. */
export const HANDSHAKE_SHARES = 4

/** Connections of one server, handshake complete. */
export const MAX_SERVER_CONNECTIONS = 16_384

/** Time from accept to a verified peer, and on the client from TCP connect to a verified peer. Istio has no limit here. */
export const HANDSHAKE_TIMEOUT_MS: number = 10 * SECOND_MS

/** First flight of a client that is looked at, bytes; a hybrid key share alone has 1,216. */
export const MAX_CLIENT_HELLO_BYTES: number = 16 * 1024

/** Connections one pool holds. */
export const MAX_POOLED_CONNECTIONS = 4096

/**
 * RST_STREAM frames a peer may send: a burst, then a rate per second. Node's own 1,000 and 33 end the whole session, with
 * every other tunnel on it, when an application aborts many connections. Peers are authenticated, so more is right.
 */
export const STREAM_RESET_BURST = 100_000
export const STREAM_RESET_PER_SECOND = 10_000

/** How long a connection that ends in order waits for its peer's end before it is destroyed, milliseconds. */
export const CLOSE_GRACE_MS = 10_000

/** Memory of one HTTP/2 session, megabytes: 16 of unread window, and 200 streams with 1/2 of queued writes each, and a margin. */
export const MAX_SESSION_MEMORY_MB = 256

/** Bytes waiting to be written to one side of a splice before the other side is paused. */
export const SPLICE_BUFFER_BYTES: number = MEBIBYTE / 4

/** How long data whose sender is gone waits for a receiver that takes none of it, milliseconds. Linux: 204 s to 15 min. */
export const ORPHAN_STALL_MS = 300_000

/**
 * How long a connection may stand still in both directions while data waits for its receiver and its sender is no longer
 * read, milliseconds. Envoy's idle time for TCP.
 */
export const STALL_MS = 3_600_000

/** What one read of a socket brings at most, bytes: what libuv asks the kernel for. */
export const READ_SLAB_BYTES: number = 64 * 1024

/** Reads up to this many bytes are copied into memory of their size, larger ones take a slab. */
export const SMALL_READ_BYTES: number = 4 * 1024

/** Read slabs kept for the next large read; further ones are left to the garbage collector. 8 MiB at most. */
export const MAX_SPARE_SLABS = 128

/** Longest `:authority` that is parsed, characters: a DNS name has 253. */
export const MAX_AUTHORITY_LENGTH = 512

/** Longest baggage or forwarded value that is parsed, characters. */
export const MAX_HEADER_VALUE_LENGTH = 8192

/** Bytes waiting in the TLS socket before writers of its streams wait, framing of our own. */
export const SOCKET_BUFFER_BYTES: number = MEBIBYTE

/** Pieces of output, one for each turn that said something, that may wait in it before what they answer counts as not read. */
export const MAX_UNWRITTEN_PIECES = 1024

/** How long a drained connection's peer may take to answer the ping that tells that no stream of it is on its way. */
export const DRAIN_PING_MS = 2_000

/** Bytes that one connection of a reactor moves before others have their turn. */
export const COPY_QUANTUM_BYTES: number = 64 * 1024

/** Plain text of one TLS record (RFC 8446 §5.1), bytes. */
export const TLS_RECORD_BYTES: number = 16 * 1024

/** Plain text that one tunnel connection of a reactor reads before others have their turn, bytes. */
export const TLS_READ_BATCH_BYTES: number = 256 * 1024

/** Connections that a reactor accepts of one listener before others have their turn. */
export const ACCEPTS_PER_TURN = 64

/** Copies of one reactor whose bytes are counted at a time. */
export const MAX_REACTOR_COPIES: number = 64 * 1024

/** Workers that crash within this time of their start are not started again, milliseconds. */
export const REACTOR_CRASH_LOOP_MS = 1_000

/** Young generation of a reactor's worker, megabytes; V8 would let it grow to 48. */
export const REACTOR_YOUNG_GENERATION_MB = 6

/**
 * A copy of a reactor that gives so many bytes in one direction within so many milliseconds moves bulk: new streams are opened on another
 * connection. Sixteen times what a handshake costs at that speed.
 */
export const BULK_BYTES: number = 16 * MEBIBYTE
export const BULK_MS = 1_000

/** Connections to one peer that move bulk; when there are so many, new streams share them. */
export const MAX_BULK_CONNECTIONS = 4

/** Steps of handshakes that a reactor takes before others have their turn: each costs up to a millisecond of signing and key exchange. */
export const HANDSHAKES_PER_TURN = 1
