import { type Ip, parseIp } from '@ambit/core'

/** What the plugin tells the agent of a new pod (Istio's field names on the wire). */
export interface CniAddEvent {
  readonly netns: string
  readonly podName: string
  readonly podNamespace: string
  /** Ours besides Istio's: tells the pod from a predecessor of its name. Absent from other plugins. */
  readonly podUid?: string
  readonly ips: readonly Ip[]
}

export function encodeCniAddEvent(event: CniAddEvent): string {
  const IPs = event.ips.map((ip) => ({ Address: { IP: ip, Mask: fullMask(ip) } }))
  const { netns, podName, podNamespace, podUid } = event
  return JSON.stringify({ Netns: netns, PodName: podName, PodNamespace: podNamespace, PodUID: podUid, IPs })
}

/** The reason when it is not such an event. */
export function decodeCniAddEvent(text: string): CniAddEvent | { readonly problem: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { problem: 'the body is not JSON' }
  }
  if (typeof value !== 'object' || value === null) return { problem: 'the body is not a JSON object' }
  const { Netns, PodName, PodNamespace, PodUID, IPs } = value as Record<string, unknown>
  if (typeof Netns !== 'string' || Netns === '') return { problem: 'Netns is missing' }
  if (typeof PodName !== 'string' || !isDnsName(PodName)) return { problem: 'PodName is missing or no name' }
  if (typeof PodNamespace !== 'string' || !isDnsName(PodNamespace))
    return { problem: 'PodNamespace is missing or no name' }
  if (PodUID !== undefined && typeof PodUID !== 'string') return { problem: 'PodUID is no text' }
  const listed = Array.isArray(IPs) ? IPs : []
  const ips = listed.flatMap((entry: unknown) => addressOf((entry as { Address?: unknown } | null)?.Address) ?? [])
  if (ips.length !== listed.length) return { problem: 'IPs holds something that is no address' }
  return { netns: Netns, podName: PodName, podNamespace: PodNamespace, ips, ...(PodUID && { podUid: PodUID }) }
}

/** Go writes a network as an object of address and mask; a CIDR text is taken as well. */
function addressOf(address: unknown): Ip | undefined {
  if (typeof address === 'string') return parseIp(address.split('/')[0] ?? '')
  if (typeof address !== 'object' || address === null || !('IP' in address)) return undefined
  return typeof address.IP === 'string' ? parseIp(address.IP) : undefined
}

function fullMask(ip: Ip): string {
  return Buffer.alloc(ip.includes(':') ? 16 : 4, 0xff).toString('base64')
}

/** RFC 1123 subdomain: such a name is safe in a path of the API server. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)
}
