import { AmbitError } from '@ambit/core'

/** Nothing of that name is known; the message says what was probably meant. */
export class UnknownNameError extends AmbitError {
  override readonly code = 'unknown-name'
}

/** More than one thing could be meant, or something needed to know which is missing. */
export class AmbiguousNameError extends AmbitError {
  override readonly code = 'ambiguous-name'
}
