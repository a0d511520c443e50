import { randomUUID } from 'node:crypto'
import { type Ip, parseIp, parseSocketAddress } from '@ambit/core'
import { headerOf, withoutHeaders } from '../http/headers.ts'
import type { Step } from './step.types.ts'

/** What a gateway says itself, whoever said it before; the last but one is Envoy's own. */
const OF_THE_EDGE: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-request-id',
  'x-forwarded-client-cert',
])

/**
 * At a gateway a request enters the mesh: its headers are made what everything behind it may rely on, before anything is decided by them
 * (Envoy's `use_remote_address`).
 */
export const edgeHeaders: Step = {
  name: 'edge-headers',
  run: (state) => {
    const { downstream, exchange, record, settings } = state
    if (downstream.kind !== 'gateway') return undefined
    const { trustedHops } = settings
    const sent = exchange.head.headers
    const client = downstream.remote.ip
    const forwardedFor = headerOf(sent, 'x-forwarded-for')
    const claimedScheme = trustedHops > 0 ? headerOf(sent, 'x-forwarded-proto')?.toLowerCase() : undefined
    const isClaimed = claimedScheme === 'http' || claimedScheme === 'https'
    const remoteIp = trustedAddress(forwardedFor, trustedHops) ?? client
    record.requestId = randomUUID()
    const headers = withoutHeaders(sent, isOfTheEdge)
    headers.push('x-forwarded-for', forwardedFor === undefined ? client : `${forwardedFor},${client}`)
    headers.push('x-forwarded-proto', isClaimed ? claimedScheme : downstream.tls === undefined ? 'http' : 'https')
    headers.push('x-envoy-external-address', remoteIp, 'x-request-id', record.requestId)
    record.requestHeaders = headers
    state.headers = headers
    state.remoteIp = remoteIp
    return undefined
  },
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
