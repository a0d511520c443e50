import { AmbitError } from '@ambit/core'

/** The peer answered CONNECT with something else than 200. */
export class HboneStatusError extends AmbitError {
  readonly code = 'ERR_HBONE_STATUS'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** No mutually authenticated connection: certificate, identity, protocol or handshake time. */
export class HboneTlsError extends AmbitError {
  readonly code = 'ERR_HBONE_TLS'
}

/** No connection, or it ended before the CONNECT was answered. */
export class HboneConnectError extends AmbitError {
  readonly code = 'ERR_HBONE_CONNECT'
}

/** A limit of ours is reached. */
export class HboneLimitError extends AmbitError {
  readonly code = 'ERR_HBONE_LIMIT'
}

/** The other side reset the stream with an error code; the data is not complete. */
export class HboneResetError extends AmbitError {
  readonly code = 'ERR_HBONE_RESET'
  /** RFC 9113 §7. */
  readonly resetCode: number

  constructor(resetCode: number, message: string) {
    super(message)
    this.resetCode = resetCode
  }
}

/** The local side cut the connection. */
export class HboneCutError extends AmbitError {
  readonly code = 'ERR_HBONE_CUT'
}
