/** Empty lines before a request that are read over (RFC 9112 §2.2: at least one). */
export const MAX_EMPTY_LINES = 4
/** Hexadecimal digits of a chunk's size: below 2^52, so that a number holds it. */
export const MAX_CHUNK_SIZE_DIGITS = 13
/** Extensions of all chunks of one body, bytes. They mean nothing to anybody, and cost more than what they come with. */
export const MAX_CHUNK_EXTENSION_BYTES: number = 16 * 1024
/** Decimal digits of a Content-Length: below 2^53. */
export const MAX_LENGTH_DIGITS = 15
