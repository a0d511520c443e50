import { AmbitError } from '@ambit/core'

/** Codes of RST_STREAM and GOAWAY (RFC 9113 §7). */
export const ERROR_CODE = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

/** A peer that broke the protocol; the connection ends with a GOAWAY of this code. */
export class Http2ConnectionError extends AmbitError {
  readonly code = 'HTTP2_CONNECTION_ERROR'
  readonly errorCode: number

  constructor(errorCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.errorCode = errorCode
  }
}

/** A header block that does not decode: both ends' tables differ from here on, so nothing after it can be read. */
export class CompressionError extends Http2ConnectionError {
  constructor(message: string) {
    super(ERROR_CODE.compressionError, message)
  }
}
