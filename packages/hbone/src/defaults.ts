const MEBIBYTE = 1024 * 1024
const SECOND_MS = 1000

/** SETTINGS_INITIAL_WINDOW_SIZE of both roles, bytes (Istio `HTTP2_STREAM_WINDOW_SIZE`). */
export const STREAM_WINDOW_BYTES: number = 4 * MEBIBYTE

/** Window of a whole connection, bytes (Istio). Above the stream window, or one unread stream stops all others (T5). */
export const CONNECTION_WINDOW_BYTES: number = 16 * MEBIBYTE

/** SETTINGS_MAX_FRAME_SIZE, bytes (Istio `HTTP2_FRAME_SIZE`). */
export const FRAME_BYTES: number = MEBIBYTE

/** First PING this long after the connection is up, and after each answer (Istio). */
export const PING_INTERVAL_MS: number = 10 * SECOND_MS

/** No answer to a PING for this long means that the peer is gone (Istio). */
export const PING_TIMEOUT_MS: number = 20 * SECOND_MS

/** A pooled connection that nothing used for this long is released (Istio `POOL_UNUSED_RELEASE_TIMEOUT`). */
export const IDLE_RELEASE_MS: number = 300 * SECOND_MS

/** Cipher suites in order of preference (Istio): no ChaCha20. */
export const CIPHER_SUITES = 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256' as const

/** Key exchange groups in order of preference: hybrid post-quantum first, then what Istio's peers have. */
export const KEY_EXCHANGE_GROUPS: readonly KeyExchangeGroup[] = ['X25519MLKEM768', 'X25519', 'P-256', 'P-384']

/** The only ones for installations that must not fall back to classical key exchange (Istio `COMPLIANCE_POLICY=pqc`). */
export const POST_QUANTUM_GROUPS: readonly KeyExchangeGroup[] = ['X25519MLKEM768']

export type KeyExchangeGroup = 'X25519MLKEM768' | 'X25519' | 'P-256' | 'P-384'
