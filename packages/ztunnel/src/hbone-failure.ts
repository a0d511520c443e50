import { STATUS_CODES } from 'node:http'
import { codeOf, formatSocketAddress, messageOf, type SocketAddress } from '@ambit/core'
import { HboneResetError, HboneStatusError, HboneTlsError } from '@ambit/hbone'
import { IdentityError } from '@ambit/identity'
import { ConnectionFailure } from './failures.ts'

/** Why a tunnel could not be opened, in the words and classes of the access log. */
export function hboneFailure(error: unknown, to: SocketAddress): ConnectionFailure {
  if (error instanceof ConnectionFailure) return error
  const options = { cause: error }
  if (error instanceof HboneStatusError) {
    const reason = STATUS_CODES[error.status]
    return new ConnectionFailure(
      'http-status',
      `http status: ${error.status}${reason === undefined ? '' : ` ${reason}`}`,
      options,
    )
  }
  if (error instanceof HboneTlsError) return new ConnectionFailure('tls', `tls error: ${messageOf(error)}`, options)
  if (error instanceof HboneResetError) return new ConnectionFailure('http2', `h2 failed: ${messageOf(error)}`, options)
  if (error instanceof IdentityError) return new ConnectionFailure('identity', messageOf(error), options)
  if (codeOf(error) === 'ETIMEDOUT' || (error instanceof Error && codeOf(error.cause) === 'ETIMEDOUT')) {
    const hint = `connection timed out, maybe a NetworkPolicy is blocking HBONE port ${to.port}: ${formatSocketAddress(to)}`
    return new ConnectionFailure('hbone-timeout', hint, options)
  }
  return new ConnectionFailure('connect-failed', `connection failed: ${messageOf(error)}`, options)
}
