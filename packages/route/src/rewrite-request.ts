import type { Backend, Route } from '@ambit/state'
import { authorityOf, changeHeaders } from './change-headers.ts'
import { changePath } from './change-path.ts'
import type { HeaderList, RequestTarget } from './request.types.ts'

const ORIGINAL_PATH = 'x-envoy-original-path'

/**
 * The request as it leaves for a backend. Changes of the backend come first and those of the route after them, so that the
 * route has the last word; a rewrite goes over both (Envoy's order).
 */
export function rewriteRequest(request: RequestTarget, route: Route, backend: Backend): RequestTarget {
  const { rewrite, match } = route
  const headers = changeHeaders(changeHeaders(request.headers, backend.requestHeaders), route.requestHeaders)
  const authority =
    rewrite?.hostname ?? authorityOf(route.requestHeaders) ?? authorityOf(backend.requestHeaders) ?? request.authority
  if (rewrite?.path === undefined) return { ...request, authority, headers }
  const sent = request.query === '' ? request.path : `${request.path}?${request.query}`
  const original = { remove: [], set: [{ name: ORIGINAL_PATH, value: sent }], add: [] }
  return { authority, ...changePath(request, rewrite.path, match.path), headers: changeHeaders(headers, original) }
}

/** The headers of a backend's answer as they reach the client. */
export function rewriteResponse(headers: HeaderList, route: Route, backend: Backend): HeaderList {
  return changeHeaders(changeHeaders(headers, backend.responseHeaders), route.responseHeaders)
}
