import { AmbitError } from '@ambit/core'

/** This Node cannot call C: what is built on the reactor has to take another way. */
export class ReactorUnavailableError extends AmbitError {
  readonly code = 'ERR_REACTOR_UNAVAILABLE'
}
