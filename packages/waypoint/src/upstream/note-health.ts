import type { AttemptOutcome } from '@ambit/route'
import type { Treated } from '../request.types.ts'

const GRPC_UNAVAILABLE = 14

/** Tells outlier detection how an attempt ended: what got no answer counts as one of a gateway (Envoy). */
export function noteHealth(
  treated: Treated | undefined,
  uid: string | undefined,
  outcome: AttemptOutcome | undefined,
): void {
  const { outliers } = treated?.cluster ?? {}
  if (outliers === undefined || uid === undefined || outcome === undefined) return
  outliers.note(uid, statusOf(outcome))
}

function statusOf(outcome: AttemptOutcome): number {
  switch (outcome.kind) {
    case 'answer':
      return outcome.grpcStatus === GRPC_UNAVAILABLE ? 503 : outcome.status
    case 'timeout':
      return 504
    default:
      return 503
  }
}
