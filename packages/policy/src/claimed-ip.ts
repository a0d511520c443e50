import { type Ip, parseIp, parseSocketAddress } from '@ambit/core'

/**
 * The client as the hop before says: the last address of X-Forwarded-For, which an ingress gateway wrote, or whoever else opened the
 * tunnel. A waypoint has no list of hops to trust.
 */
export function claimedIpOf(forwardedFor: string | undefined): Ip | undefined {
  if (forwardedFor === undefined) return undefined
  const last = forwardedFor.slice(forwardedFor.lastIndexOf(',') + 1).trim()
  return parseIp(last) ?? parseSocketAddress(last)?.ip
}
