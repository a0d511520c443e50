import { AmbitError } from '@ambit/core'

/** A volume can't be provided (yet); retried, and told as a FailedMount event. */
export class VolumeError extends AmbitError {
  readonly code = 'SANDBOX_VOLUME'
}
