import type { PathMatch, Redirect } from '@ambit/state'
import { changePath } from './change-path.ts'

export interface RedirectedRequest {
  readonly scheme: string
  readonly authority: string
  /** The service's port the client addressed. */
  readonly port: number
  readonly path: string
  readonly query: string
}

export interface RedirectAnswer {
  readonly status: number
  readonly location: string
}

const WELL_KNOWN_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 }
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::\d*)?$/

/**
 * Where a redirect sends the client, always as an absolute URL (Gateway API). Undefined, to be answered 400, when the host is to
 * come from the request and it names none.
 */
export function redirectOf(
  redirect: Redirect,
  match: PathMatch | undefined,
  request: RedirectedRequest,
): RedirectAnswer | undefined {
  const hostname = redirect.hostname ?? HOST.exec(request.authority)?.[1]
  if (hostname === undefined) return undefined
  const scheme = redirect.scheme ?? request.scheme
  const port = redirect.port ?? (redirect.scheme && WELL_KNOWN_PORTS[redirect.scheme]) ?? request.port
  const suffix = port === WELL_KNOWN_PORTS[scheme] ? '' : `:${port}`
  const { path, query } = redirect.path === undefined ? request : changePath(request, redirect.path, match)
  const target = query === '' ? path : `${path}?${query}`
  return { status: redirect.status, location: `${scheme}://${hostname}${suffix}${asUrlText(target)}` }
}

/** Whatever may not stand in a header or a URL is percent-encoded. */
function asUrlText(target: string): string {
  const rooted = target.startsWith('/') ? target : `/${target}`
  return rooted.toWellFormed().replaceAll(/[^!-~]/gu, (character) => encodeURIComponent(character))
}
