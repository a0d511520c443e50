import type { WaypointAnswer } from '../index/waypoint-lookup.ts'
import type { Condition } from './condition.ts'

export const WAYPOINT_BOUND = 'istio.io/WaypointBound'

/** What an object's status says of the waypoint it asked for; undefined when it asked for none. */
export function waypointCondition(
  answer: WaypointAnswer | undefined,
  ingress: { readonly used: boolean } | undefined,
): Condition | undefined {
  if (answer === undefined) return undefined
  const { binding, waypoint } = answer
  if (!binding.bound) return { type: WAYPOINT_BOUND, status: 'False', reason: binding.reason, message: binding.message }
  return {
    type: WAYPOINT_BOUND,
    status: 'True',
    reason: 'WaypointAccepted',
    message: `Successfully attached to waypoint ${waypoint}${ingressSentence(ingress)}`,
  }
}

function ingressSentence(ingress: { readonly used: boolean } | undefined): string {
  if (ingress === undefined) return ''
  return ingress.used
    ? '. Ingress traffic will traverse the waypoint'
    : '. Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired.'
}
