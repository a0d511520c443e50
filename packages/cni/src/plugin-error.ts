import { AmbitError } from '@ambit/core'

/** Error codes of the CNI specification; from 100 on they are the plugin's own. */
export const CNI_ERROR = {
  incompatibleVersion: 1,
  invalidEnvironment: 4,
  io: 5,
  decode: 6,
  invalidConfig: 7,
  tryAgain: 11,
  enrollment: 100,
} as const

/** The container runtime's call fails with `cniCode`; for ADD the pod's sandbox must not start. */
export class PluginError extends AmbitError {
  override readonly code = 'CNI_PLUGIN_FAILED'
  readonly cniCode: number
  /** More than one line of message, for whoever looks closely. */
  readonly details: string

  constructor(message: string, cniCode: number, options: ErrorOptions & { readonly details?: string } = {}) {
    super(message, options)
    this.cniCode = cniCode
    this.details = options.details ?? ''
  }
}
