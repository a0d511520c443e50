import { createHash, timingSafeEqual } from 'node:crypto'

/** What is known of a request before anything is done for it. */
export interface Knock {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly host: string | undefined
  /** `Sec-Fetch-Site`: who made the browser ask. */
  readonly fetchSite: string | undefined
}

export type AccessVerdict =
  /** `path` is what follows the token, without query. */
  | { readonly kind: 'serve'; readonly path: string; readonly query: URLSearchParams }
  | { readonly kind: 'launch'; readonly code: string }
  | { readonly kind: 'refuse'; readonly status: 400 | 403 | 404 | 405; readonly reason: string }

/** Names that no DNS server can point elsewhere. Any port: somebody may come through `ssh -L`. */
const OWN_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i
const LAUNCH = '/open/'

/** May this be answered? The token is the first part of each path: a cookie would go to every port of this machine. */
export function judgeAccess(knock: Knock, token: string): AccessVerdict {
  if (knock.method !== 'GET') return { kind: 'refuse', status: 405, reason: 'GET only' }
  if (knock.host === undefined || !OWN_HOST.test(knock.host)) {
    return { kind: 'refuse', status: 403, reason: 'this server answers to 127.0.0.1 and localhost only' }
  }
  const url = URL.parse(knock.url ?? '', 'http://dashboard.invalid')
  if (url === null || !(knock.url ?? '').startsWith('/')) return { kind: 'refuse', status: 400, reason: 'bad request' }
  if (url.pathname.startsWith(LAUNCH)) return { kind: 'launch', code: url.pathname.slice(LAUNCH.length) }
  const end = url.pathname.indexOf('/', 1)
  if (end < 0 || !sameSecret(url.pathname.slice(1, end), token)) {
    return { kind: 'refuse', status: 403, reason: 'open the address that ambit dashboard printed' }
  }
  const path = url.pathname.slice(end + 1)
  // The page itself may be opened from anywhere; what it loads is for itself.
  const foreign = knock.fetchSite !== undefined && !['same-origin', 'none'].includes(knock.fetchSite)
  if (foreign && path !== '') return { kind: 'refuse', status: 403, reason: 'asked for by another site' }
  return { kind: 'serve', path, query: url.searchParams }
}

/** Compares in a time that says nothing about where they differ. */
export function sameSecret(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(secret))
}
