import { type Ip, parseIp, parseSocketAddress } from '@ambit/core'

/**
 * The client as the hop before says (Envoy without `use_remote_address`): the last address of X-Forwarded-For, which an ingress
 * gateway wrote; the pod's own when there is none.
 */
export function remoteIpOf(forwardedFor: string | undefined, pod: Ip): Ip {
  if (forwardedFor === undefined) return pod
  const last = forwardedFor.slice(forwardedFor.lastIndexOf(',') + 1).trim()
  return parseIp(last) ?? parseSocketAddress(last)?.ip ?? pod
}
