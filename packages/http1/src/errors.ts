import { AmbitError } from '@ambit/core'

export type Http1Problem =
  | 'invalid-start-line'
  | 'unknown-version'
  | 'invalid-header'
  | 'invalid-framing'
  | 'invalid-chunk'
  | 'head-too-large'
  | 'too-many-lines'
  | 'chunk-extensions-too-long'
  /** The connection ended within a message. */
  | 'ended-early'

/** A peer that does not speak HTTP/1.1; nothing after it on the connection can be read. */
export class Http1Error extends AmbitError {
  override readonly code = 'ERR_HTTP1'
  readonly problem: Http1Problem

  constructor(problem: Http1Problem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.problem = problem
  }
}
