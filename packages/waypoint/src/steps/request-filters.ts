import { formatSpiffeId, type SpiffeId } from '@ambit/core'
import { type HeaderList, rewriteRequest } from '@ambit/route'
import { withoutHeaders } from '../http/headers.ts'
import type { RequestState } from '../request.types.ts'
import type { Step } from './step.types.ts'

const XFCC = 'x-forwarded-client-cert'

/** Only proxies may say these; a client's own are dropped (Envoy). */
const OF_PROXIES: ReadonlySet<string> = new Set([
  XFCC,
  'x-envoy-attempt-count',
  'x-envoy-original-path',
  'x-envoy-original-host',
  'x-envoy-decorator-operation',
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
  'x-envoy-internal',
  'x-envoy-expected-rq-timeout-ms',
])

/** The request as it leaves: proxies' headers, then the route's changes. */
export function requestFilters({ ownIdentity }: { readonly ownIdentity: SpiffeId }): Step {
  return {
    name: 'request-filters',
    run: (state) => {
      const { head } = state.exchange
      const request = {
        authority: head.authority,
        path: state.path ?? '',
        query: state.query ?? '',
        headers: proxyHeaders(state, ownIdentity),
      }
      const { route, upstream } = state
      state.outgoing =
        route === undefined || upstream?.backend === undefined
          ? request
          : rewriteRequest(request, route, upstream.backend)
      return undefined
    },
  }
}

/** Many applications read `_` in a name as `-` (CGI, WSGI, Rack). */
function isOfProxies(name: string): boolean {
  return OF_PROXIES.has(name.includes('_') ? name.replaceAll('_', '-') : name)
}

function proxyHeaders(state: RequestState, ownIdentity: SpiffeId): HeaderList {
  const headers = withoutHeaders(state.headers ?? state.exchange.head.headers, isOfProxies)
  const { header, settings, downstream } = state
  if (header?.('x-forwarded-proto') === undefined) headers.push('x-forwarded-proto', 'http')
  if (header?.('x-request-id') === undefined) headers.push('x-request-id', state.record.requestId)
  if (downstream.kind === 'gateway') {
    const certificate = downstream.tls?.forwardedCertificate
    if (certificate !== undefined) headers.push(XFCC, certificate)
  } else if (settings.forwardClientIdentity) {
    headers.push(XFCC, `By=${formatSpiffeId(ownIdentity)};URI=${formatSpiffeId(downstream.peer)}`)
  }
  return headers
}
