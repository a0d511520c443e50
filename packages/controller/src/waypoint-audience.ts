import { LABELS } from '@ambit/api'
import type { PodLookup } from './ca/impersonation.ts'
import { routerNameOf } from './index/routers.ts'

/** How pods of waypoints of Istio 1.18 name their Gateway. */
const OLD_GATEWAY_NAME = 'istio.io/gateway-name'

export type AudienceVerdict =
  | { readonly ok: true; readonly audience: string }
  | { readonly ok: false; readonly reason: string }

/**
 * Which waypoint or gateway a client is, `namespace/name`: by the pod it runs in, which must run as the account that was
 * authenticated. What the client says of itself only names the pod, and must name the one its token is bound to:
 * other pods of the account are not this waypoint.
 */
export async function waypointAudience(
  pods: Pick<PodLookup, 'cached' | 'live'>,
  client: {
    readonly name: string
    readonly namespace: string
    readonly serviceAccount: string
    /** The pod that the token was made for, if for one. */
    readonly podName: string | undefined
    readonly podUid: string | undefined
  },
): Promise<AudienceVerdict> {
  const { namespace, serviceAccount, podName, podUid } = client
  const suffix = `.${namespace}`
  if (!client.name.endsWith(suffix)) return { ok: false, reason: `the node names no pod of namespace ${namespace}` }
  const name = client.name.slice(0, -suffix.length)
  if (podName !== undefined && podName !== name)
    return { ok: false, reason: `the node names pod ${name}, the token is that of ${podName}` }
  const known = pods.cached(namespace, name)
  // A pod may ask before its watch event is here, or right after it was replaced.
  const isKnown = known?.serviceAccount === serviceAccount && (podUid === undefined || known.uid === podUid)
  const pod = isKnown ? known : await pods.live(namespace, name)
  if (pod === undefined) return { ok: false, reason: `there is no pod ${namespace}/${name}` }
  if (podUid !== undefined && pod.uid !== podUid)
    return { ok: false, reason: `pod ${namespace}/${name} is not the one the token was made for` }
  if (pod.serviceAccount !== serviceAccount)
    return { ok: false, reason: `pod ${namespace}/${name} runs as another service account than ${serviceAccount}` }
  const gateway = pod.labels[LABELS.gatewayName] || pod.labels[OLD_GATEWAY_NAME]
  if (!gateway && !pod.isRouter) return { ok: false, reason: `pod ${namespace}/${name} belongs to no Gateway` }
  if (!gateway) return { ok: true, audience: `${namespace}/${routerNameOf(pod)}` }
  return { ok: true, audience: `${namespace}/${gateway}` }
}
