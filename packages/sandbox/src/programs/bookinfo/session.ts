import type { IncomingMessage } from 'node:http'

const COOKIE = 'session'
const MAX_NAME_LENGTH = 64

/**
 * A name as it can go into the header `end-user`; undefined for none. Nobody checks a password in this sample, so the
 * cookie proves nothing and isn't signed.
 */
export function userNameFrom(text: string | null | undefined): string | undefined {
  const name = (text ?? '').trim()
  return name !== '' && name.length <= MAX_NAME_LENGTH && /^[\x20-\x7e]+$/.test(name) ? name : undefined
}

export function signedInUser(request: IncomingMessage): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value = ''] = part.trim().split('=')
    if (name !== COOKIE) continue
    try {
      return userNameFrom(decodeURIComponent(value))
    } catch {
      return undefined
    }
  }
  return undefined
}

export function signIn(user: string): string {
  return `${COOKIE}=${encodeURIComponent(user)}; Path=/; HttpOnly; SameSite=Lax`
}

export const SIGN_OUT: string = `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`
