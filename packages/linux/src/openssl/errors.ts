import { AmbitError } from '@ambit/core'

/** OpenSSL refused something; the message has what its error queue said. */
export class TlsError extends AmbitError {
  readonly code = 'ERR_TLS'
}
