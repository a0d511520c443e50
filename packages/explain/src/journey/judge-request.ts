import { type Ip, type SocketAddress, type SpiffeId } from '@ambit/core'
import {
  authorizeRequest,
  carriesToken,
  claimedIpOf,
  type RequestFacts,
  type RequestVerdict,
  requestPath,
} from '@ambit/policy'
import { indexHeaders } from '@ambit/route'
import type { ProxyState } from '../compile/proxy-state.ts'
import type { SentRequest } from './asked-request.ts'

/** What a waypoint or gateway is asked to let through. */
export interface Incoming {
  readonly peer: SpiffeId | undefined
  readonly sourceIp: Ip
  /** At a gateway: the client as proxies in front of it say that are believed. */
  readonly remoteIp: Ip | undefined
  /** Whether headers are those of a client that nobody vouches for, not of a gateway's. */
  readonly isTunnel: boolean
  readonly destination: SocketAddress
  readonly sni: string | undefined
}

export interface Enforced {
  readonly authorizationPolicies: readonly string[]
  readonly authenticatesRequests: boolean
}

/** What is done to a request before it is sent on. */
export interface JudgedRequest {
  readonly facts: RequestFacts
  readonly verdict: RequestVerdict
  readonly path: string
  readonly query: string
  readonly header: (name: string) => string | undefined
  /** Why it is answered without a policy. */
  readonly refusal: { readonly kind: 'denied' | 'unreachable'; readonly reason: string } | undefined
}

/** Path, policies and token, in the order of the waypoint's pipeline. */
export function judgeRequest(
  proxy: ProxyState,
  { authorizationPolicies, authenticatesRequests }: Enforced,
  incoming: Incoming,
  request: SentRequest,
): JudgedRequest {
  const { settings } = proxy.destinations
  const header = indexHeaders(request.headers, request.authority)
  const read = requestPath(request, settings?.pathNormalization ?? 'base')
  const path = read.kind === 'path' ? read.path : request.target
  const query = read.kind === 'path' ? read.query : ''
  const facts: RequestFacts = {
    sourceIdentity: incoming.peer,
    sourceIp: incoming.sourceIp,
    remoteIp: incoming.remoteIp ?? incoming.sourceIp,
    claimedIp: incoming.isTunnel ? claimedIpOf(header('x-forwarded-for')) : undefined,
    destinationIp: incoming.destination.ip,
    destinationPort: incoming.destination.port,
    http: { method: request.method, path, authority: request.authority, header },
    sni: incoming.isTunnel ? undefined : incoming.sni,
  }
  const verdict = authorizeRequest(facts, proxy.compiled.policiesFor(authorizationPolicies))
  const judged = { facts, verdict, path, query, header }
  if (read.kind === 'refused') {
    const reason =
      read.reason === 'no-connect'
        ? 'a CONNECT inside a tunnel is answered 403'
        : 'its path can not be judged: it is answered 400'
    return { ...judged, refusal: { kind: 'unreachable', reason } }
  }
  const isUnavailable = !verdict.allowed && verdict.reason === 'unavailable'
  if (!isUnavailable && authenticatesRequests && carriesToken(header('authorization'), query)) {
    const reason =
      'Jwt verification fails: this version of the proxy checks no tokens, and refuses requests with one where they are to be checked (401)'
    return { ...judged, refusal: { kind: 'denied', reason } }
  }
  return { ...judged, refusal: undefined }
}

/** The same for a connection of which only the bytes are known. */
export function judgeConnection(
  proxy: ProxyState,
  { authorizationPolicies }: Enforced,
  incoming: Incoming,
): { readonly facts: RequestFacts; readonly verdict: RequestVerdict } {
  const facts: RequestFacts = {
    sourceIdentity: incoming.peer,
    sourceIp: incoming.sourceIp,
    remoteIp: incoming.sourceIp,
    destinationIp: incoming.destination.ip,
    destinationPort: incoming.destination.port,
  }
  return { facts, verdict: authorizeRequest(facts, proxy.compiled.policiesFor(authorizationPolicies)) }
}
