import { createHash, timingSafeEqual } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { UserInfo } from '../resources/request-context.ts'
import { ISSUER, type ServiceAccountTokens } from './service-account-tokens.ts'

export const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }
const AUTHENTICATED = 'system:authenticated'

export type Authentication =
  | { readonly ok: true; readonly user: UserInfo }
  | { readonly ok: false; readonly why: string }

/** Who is on the other end: client certificate, administrator's token, service account's token, or nobody. */
export function authenticate(
  socket: TLSSocket | undefined,
  authorization: string | undefined,
  adminToken: string | undefined,
  tokens: ServiceAccountTokens,
): Authentication {
  if (authorization !== undefined) {
    const token = /^Bearer (\S+)$/i.exec(authorization)?.[1]
    if (token === undefined) return { ok: false, why: 'only Bearer authorization is understood' }
    const admin = adminUserOf(adminToken, token)
    if (admin !== undefined) return { ok: true, user: admin }
    const verdict = tokens.review(token, [ISSUER])
    return verdict.ok ? { ok: true, user: verdict.user } : { ok: false, why: verdict.why }
  }
  const user = socket === undefined ? undefined : userOfCertificate(socket)
  return { ok: true, user: user ?? ANONYMOUS }
}

/** The administrator, if that is the administrator's token. */
export function adminUserOf(adminToken: string | undefined, token: string): UserInfo | undefined {
  if (adminToken === undefined || !sameSecret(token, adminToken)) return undefined
  return { username: 'kubernetes-admin', groups: ['system:masters', AUTHENTICATED] }
}

function sameSecret(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

/** Common name is the user, organizations are the groups, if our client CA signed it. */
function userOfCertificate(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined
  const subject = socket.getPeerCertificate().subject as Readonly<Record<string, string | string[]>> | undefined
  const [username] = [subject?.['CN'] ?? []].flat()
  if (username === undefined || username === '') return undefined
  const groups = [subject?.['O'] ?? []].flat()
  return { username, groups: [...groups, AUTHENTICATED] }
}
