/** Types and flags of frames (RFC 9113 §6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Frame header, bytes (RFC 9113 §4.1). */
export const FRAME_HEADER_BYTES = 9
/** SETTINGS_MAX_FRAME_SIZE that every peer has at the start, bytes (RFC 9113 §6.5.2). */
export const DEFAULT_FRAME_BYTES = 16_384
/** Windows at the start, bytes (RFC 9113 §6.9.2). */
export const DEFAULT_WINDOW_BYTES = 65_535
/** Largest window, bytes (RFC 9113 §6.9.1). */
export const MAX_WINDOW_BYTES = 0x7fffffff
/** Highest stream number (RFC 9113 §5.1.1). */
export const MAX_STREAM_ID = 0x7fffffff
