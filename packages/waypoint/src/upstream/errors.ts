import { AmbitError } from '@ambit/core'

/** How an attempt failed; the words of Envoy's reset reasons are made of it in `local-reply.ts`. */
export type UpstreamFailure =
  /** No connection: refused, unreachable, no certificate, a tunnel that was refused. */
  | 'connect-failed'
  | 'connect-timeout'
  /** The endpoint did not look at the request. */
  | 'refused-stream'
  /** The connection ended. */
  | 'terminated'
  /** The endpoint reset this stream. */
  | 'reset'
  | 'protocol-error'
  /** A limit of ours. */
  | 'overflow'

/** An attempt to have an endpoint answer did not work out. */
export class UpstreamError extends AmbitError {
  override readonly code = 'ERR_UPSTREAM'
  readonly failure: UpstreamFailure
  /** The endpoint may have seen the request. */
  readonly sent: boolean

  constructor(failure: UpstreamFailure, message: string, options: ErrorOptions & { readonly sent: boolean }) {
    super(message, options)
    this.failure = failure
    this.sent = options.sent
  }
}

/** All others no client can be given: of HTTP there are 200 to 599 (RFC 9110 §15). */
export function isFinalStatus(status: number): boolean {
  return status >= 200 && status <= 599
}
