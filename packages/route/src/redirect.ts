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
  const port = portOf(redirect, request)
  const suffix = port === undefined || port === WELL_KNOWN_PORTS[scheme] ? '' : `:${port}`
  const { path, query } = redirect.path === undefined ? request : changePath(request, redirect.path, match)
  const target = query === '' ? path : `${path}?${query}`
  return { status: redirect.status, location: `${scheme}://${hostname}${suffix}${asUrlText(target)}` }
}

function portOf(redirect: Redirect, request: RedirectedRequest): number | undefined {
  if (redirect.port !== undefined) return redirect.port
  // The host of the redirect has its port with it.
  if (redirect.keepsWrittenPort) return redirect.hostname === undefined ? writtenPort(request) : undefined
  return (redirect.scheme === undefined ? undefined : WELL_KNOWN_PORTS[redirect.scheme]) ?? request.port
}

/** One that is the rule for the old scheme says nothing about the new one. */
function writtenPort({ authority, scheme }: RedirectedRequest): number | undefined {
  const [, port] = /:(\d{1,5})$/.exec(authority) ?? []
  return port === undefined || Number(port) === WELL_KNOWN_PORTS[scheme] ? undefined : Number(port)
}

/** Whatever may not stand in a header or a URL is percent-encoded. */
function asUrlText(target: string): string {
  const rooted = target.startsWith('/') ? target : `/${target}`
  return rooted.toWellFormed().replaceAll(/[^!-~]/gu, (character) => encodeURIComponent(character))
}
