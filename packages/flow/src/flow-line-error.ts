import { AmbitError } from '@ambit/core'

export type FlowLineErrorCode =
  | 'FLOW_LINE_TOO_LONG'
  | 'FLOW_LINE_NOT_JSON'
  | 'FLOW_FORMAT_UNKNOWN'
  | 'FLOW_FORMAT_OLD'
  | 'FLOW_FORMAT_NEW'
  | 'FLOW_LINE_INVALID'

/** A line that is no flow of this version. */
export class FlowLineError extends AmbitError {
  override readonly code: FlowLineErrorCode

  constructor(code: FlowLineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
