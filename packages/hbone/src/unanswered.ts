import { messageOf } from '@ambit/core'
import { ERROR_CODE } from '@ambit/http2'
import { HboneConnectError, HboneResetError } from './errors.ts'

/** Why a CONNECT ended without an answer: the peer reset it, or the connection went. */
export function unanswered(code: number | undefined, failure: Error | undefined): Error {
  if (code !== undefined && code !== ERROR_CODE.noError && code !== ERROR_CODE.cancel) {
    return new HboneResetError(code, `the peer reset the stream before it answered: HTTP/2 error code ${code}`)
  }
  const why = failure === undefined ? '' : `: ${messageOf(failure)}`
  return new HboneConnectError(`the connection ended before the peer answered${why}`, { cause: failure })
}
