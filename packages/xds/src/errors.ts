import { AmbitError } from '@ambit/core'

/** The stream to the control plane could not be opened or ended; retried by the client. */
export class XdsConnectError extends AmbitError {
  readonly code = 'ERR_XDS_CONNECT'
}

/** A file the connection needs cannot be used. */
export class XdsCredentialError extends AmbitError {
  readonly code = 'ERR_XDS_CREDENTIAL'
}

/** Too much was asked of this process. */
export class XdsLimitError extends AmbitError {
  readonly code = 'ERR_XDS_LIMIT'
}

/** What was waited for cannot come any more: the client is closed. */
export class XdsClosedError extends AmbitError {
  readonly code = 'ERR_XDS_CLOSED'
}
