import { type Ip, parseIp, parseSocketAddress } from '@ambit/core'
import type { HeaderList } from './request.types.ts'

/** What a gateway says itself, whoever said it before; the last but one is Envoy's own. */
const OF_THE_EDGE: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-request-id',
  'x-forwarded-client-cert',
])

export interface EdgeRequest {
  /** As sent, names in lower case. */
  readonly headers: HeaderList
  /** Who connected. */
  readonly client: Ip
  readonly isTls: boolean
  /** Proxies in front that are believed. */
  readonly trustedHops: number
  readonly requestId: string
}

export interface BelievedHeaders {
  readonly headers: HeaderList
  /** The client as the outermost proxy says that is believed. */
  readonly remoteIp: Ip
}

/** The headers of a request that enters the mesh, made what everything behind may rely on (Envoy's `use_remote_address`). */
export function believedHeaders({ headers, client, isTls, trustedHops, requestId }: EdgeRequest): BelievedHeaders {
  const kept: string[] = []
  let forwardedFor: string | undefined
  let scheme: string | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    if (!isOfTheEdge(name)) kept.push(name, value)
    else if (name === 'x-forwarded-for') forwardedFor = joined(forwardedFor, value)
    else if (name === 'x-forwarded-proto') scheme = joined(scheme, value)
  }
  const claimed = trustedHops > 0 ? scheme?.toLowerCase() : undefined
  const isClaimed = claimed === 'http' || claimed === 'https'
  const remoteIp = trustedAddress(forwardedFor, trustedHops) ?? client
  kept.push('x-forwarded-for', joined(forwardedFor, client))
  kept.push('x-forwarded-proto', isClaimed ? claimed : isTls ? 'https' : 'http')
  kept.push('x-envoy-external-address', remoteIp, 'x-request-id', requestId)
  return { headers: kept, remoteIp }
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`
}

/** Many applications read `_` in a name as `-` (CGI, WSGI, Rack). */
function isOfTheEdge(name: string): boolean {
  const read = name.includes('_') ? name.replaceAll('_', '-') : name
  return read.startsWith('x-envoy-') || OF_THE_EDGE.has(read)
}

/** The client as the outermost trusted proxy saw it; undefined when there are fewer addresses than such proxies. */
function trustedAddress(forwardedFor: string | undefined, hops: number): Ip | undefined {
  const said = hops === 0 ? undefined : forwardedFor?.split(',').at(-hops)?.trim()
  return said === undefined ? undefined : (parseIp(said) ?? parseSocketAddress(said)?.ip)
}
