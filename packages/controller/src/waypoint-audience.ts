import { LABELS } from '@ambit/api'
import type { PodLookup } from './ca/impersonation.ts'

/** How pods of waypoints of Istio 1.18 name their Gateway. */
const OLD_GATEWAY_NAME = 'istio.io/gateway-name'

export type AudienceVerdict =
  | { readonly ok: true; readonly audience: string }
  | { readonly ok: false; readonly reason: string }

/**
 * Which waypoint a client is, `namespace/gateway`: by the labels of the pod it runs in, which must run as the account
 * that was authenticated. What the client says of itself only names the pod.
 */
export async function waypointAudience(
  pods: Pick<PodLookup, 'cached' | 'live'>,
  client: { readonly name: string; readonly namespace: string; readonly serviceAccount: string },
): Promise<AudienceVerdict> {
  const { namespace, serviceAccount } = client
  const suffix = `.${namespace}`
  if (!client.name.endsWith(suffix)) return { ok: false, reason: `the node names no pod of namespace ${namespace}` }
  const name = client.name.slice(0, -suffix.length)
  const known = pods.cached(namespace, name)
  // A pod may ask before its watch event is here, or right after it was replaced.
  const pod = known?.serviceAccount === serviceAccount ? known : await pods.live(namespace, name)
  if (pod === undefined) return { ok: false, reason: `there is no pod ${namespace}/${name}` }
  if (pod.serviceAccount !== serviceAccount)
    return { ok: false, reason: `pod ${namespace}/${name} runs as another service account than ${serviceAccount}` }
  const gateway = pod.labels[LABELS.gatewayName] || pod.labels[OLD_GATEWAY_NAME]
  if (!gateway) return { ok: false, reason: `pod ${namespace}/${name} belongs to no Gateway` }
  return { ok: true, audience: `${namespace}/${gateway}` }
}
