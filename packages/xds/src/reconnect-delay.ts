import { status } from '@grpc/grpc-js'

/** How a connection to the control plane came to its end. */
export type ConnectionEnd =
  | { readonly kind: 'connect-failed' }
  | { readonly kind: 'ended'; readonly code: number; readonly details: string; readonly answered: boolean }

export interface ReconnectDecision {
  /** Label of istio_xds_connection_terminations. */
  readonly reason: 'ConnectionError' | 'Error' | 'Reconnect' | 'Complete'
  /** Whether to wait longer after each failure, a moment, or not at all. */
  readonly wait: 'backoff' | 'moment' | 'none'
}

const ROUTINE: ReadonlySet<number> = new Set([status.UNKNOWN, status.CANCELLED, status.DEADLINE_EXCEEDED])
const ROUTINE_UNAVAILABLE = /transport is closing|received prior goaway/

/** How soon to connect again (Istio): routine ends of a stream are not failures and do not lengthen the wait. */
export function decideReconnect(end: ConnectionEnd): ReconnectDecision {
  if (end.kind === 'connect-failed') return { reason: 'ConnectionError', wait: 'backoff' }
  if (end.code === status.OK) {
    // A peer that ends every stream at once must not be dialled in a circle.
    return { reason: 'Complete', wait: end.answered ? 'none' : 'backoff' }
  }
  if (ROUTINE.has(end.code) || (end.code === status.UNAVAILABLE && ROUTINE_UNAVAILABLE.test(end.details))) {
    return { reason: 'Reconnect', wait: 'moment' }
  }
  return { reason: 'Error', wait: 'backoff' }
}
