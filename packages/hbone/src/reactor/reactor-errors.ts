import { AmbitError } from '@ambit/core'

/** A worker ended by itself, and with it its connections. */
export class ReactorCrashError extends AmbitError {
  readonly code = 'ERR_REACTOR_CRASH'
}
