/** Why a resource was refused at the edge; the message is what the control plane reads in the NACK. */
export interface Rejection {
  readonly code: RejectionCode
  readonly message: string
}

export type RejectionCode =
  | 'malformed'
  | 'empty'
  | 'unknown-enum'
  | 'unsupported'
  | 'bad-address'
  | 'bad-cidr'
  | 'bad-match'
  | 'bad-port'
  | 'unknown-field'
  | 'bad-pattern'
  | 'bad-header'
  | 'bad-status'
  | 'bad-path'

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly rejection: Rejection }

/** Leaves a decoder from any depth; never leaves this package. */
export class RejectionSignal extends Error {
  readonly rejection: Rejection

  constructor(code: RejectionCode, message: string) {
    super(message)
    this.rejection = { code, message }
  }
}

export function reject(code: RejectionCode, message: string): never {
  throw new RejectionSignal(code, message)
}

/** Runs a decoder; its rejections, and the errors of the protobuf reader, become values. */
export function decoding<T>(decode: () => T): Decoded<T> {
  try {
    return { ok: true, value: decode() }
  } catch (error) {
    if (error instanceof RejectionSignal) return { ok: false, rejection: error.rejection }
    return {
      ok: false,
      rejection: {
        code: 'malformed',
        message: `not a valid message: ${error instanceof Error ? error.message : String(error)}`,
      },
    }
  }
}
