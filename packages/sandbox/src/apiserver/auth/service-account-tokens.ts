import { createHash, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto'
import type { Clock } from '@ambit/core'
import type { IssuedToken, IssueTokenOptions } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject } from '../json.ts'
import { DEFAULT_TOKEN_SECONDS, MAX_TOKEN_BYTES, MAX_TOKEN_SECONDS, MIN_TOKEN_SECONDS } from '../limits.ts'
import { timestamp } from '../resources/object-meta.ts'
import type { UserInfo } from '../resources/request-context.ts'
import { badRequest, notFound } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'

export const ISSUER = 'https://kubernetes.default.svc'
/** Clocks may differ that much. */
const LEEWAY_SECONDS = 60

export type TokenVerdict =
  | { readonly ok: true; readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly ok: false; readonly why: string }

/** Makes and checks service accounts' bound JWTs (ES256). */
export class ServiceAccountTokens {
  readonly #key: KeyObject
  readonly #publicKey: KeyObject
  readonly #store: ObjectStore
  readonly #clock: Clock
  readonly #keyId: string

  constructor(key: KeyObject, store: ObjectStore, clock: Clock) {
    this.#key = key
    this.#publicKey = createPublicKey(key)
    this.#store = store
    this.#clock = clock
    const der = this.#publicKey.export({ type: 'spki', format: 'der' })
    this.#keyId = createHash('sha256').update(der).digest('base64url')
  }

  /** The public key as a JWK set. */
  jwks(): JsonObject {
    const jwk = this.#publicKey.export({ format: 'jwk' })
    return { keys: [{ use: 'sig', alg: 'ES256', kid: this.#keyId, ...jwk }] }
  }

  issue(options: IssueTokenOptions): IssuedToken {
    const { namespace, serviceAccount, pod, node } = options
    const account = this.#store.get('/serviceaccounts', namespace, serviceAccount)
    if (account === undefined) throw notFound('', 'serviceaccounts', serviceAccount)
    const asked = options.expirationSeconds ?? DEFAULT_TOKEN_SECONDS
    if (asked < MIN_TOKEN_SECONDS) throw badRequest(`may not specify a duration less than 10 minutes (${asked} s)`)
    const now = Math.floor(this.#clock.now() / 1000)
    const expiry = now + Math.min(asked, MAX_TOKEN_SECONDS)
    const audiences = options.audiences !== undefined && options.audiences.length > 0 ? options.audiences : [ISSUER]
    const claims = {
      aud: audiences,
      exp: expiry,
      iat: now,
      iss: ISSUER,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        ...(node === undefined ? {} : { node }),
        ...(pod === undefined ? {} : { pod }),
        serviceaccount: { name: serviceAccount, uid: account.metadata.uid },
      },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    }
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const body = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(body), { key: this.#key, dsaEncoding: 'ieee-p1363' })
    return { token: `${body}.${signature.toString('base64url')}`, expirationTimestamp: timestamp(expiry * 1000) }
  }

  /** Whose token it is, if it is ours, in time, for one of the audiences, and what it is bound to still exists. */
  review(token: string, audiences: readonly string[]): TokenVerdict {
    if (token.length > MAX_TOKEN_BYTES) return { ok: false, why: 'the token is too long' }
    const [header = '', payload = '', signature = '', more] = token.split('.')
    if (more !== undefined || signature === '') return { ok: false, why: 'not a JWT' }
    if (at(parse(header), 'alg') !== 'ES256') return { ok: false, why: 'not signed by this cluster' }
    const key = { key: this.#publicKey, dsaEncoding: 'ieee-p1363' as const }
    const bytes = Buffer.from(signature, 'base64url')
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, bytes))
      return { ok: false, why: 'invalid signature' }
    const claims = parse(payload)
    const now = this.#clock.now() / 1000
    if (at(claims, 'iss') !== ISSUER) return { ok: false, why: 'another issuer' }
    if (!(Number(at(claims, 'exp')) + LEEWAY_SECONDS > now)) return { ok: false, why: 'the token has expired' }
    if (!(Number(at(claims, 'nbf')) - LEEWAY_SECONDS <= now)) return { ok: false, why: 'the token is not valid yet' }
    const own = arrayOf(at(claims, 'aud')).filter((item) => typeof item === 'string')
    const common = audiences.filter((audience) => own.includes(audience))
    if (common.length === 0)
      return {
        ok: false,
        why: `token audiences ${JSON.stringify(own)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
      }
    return this.#bound(claims, common)
  }

  #bound(claims: unknown, audiences: readonly string[]): TokenVerdict {
    const bound = at(claims, 'kubernetes.io')
    const namespace = String(at(bound, 'namespace'))
    const name = String(at(bound, 'serviceaccount', 'name'))
    const uid = at(bound, 'serviceaccount', 'uid')
    const account = this.#store.get('/serviceaccounts', namespace, name)
    if (account === undefined || account.metadata.uid !== uid)
      return { ok: false, why: `service account ${namespace}/${name} has been deleted` }
    const extra: Record<string, readonly string[]> = {}
    const pod = at(bound, 'pod')
    if (isObject(pod)) {
      const live = this.#store.get('/pods', namespace, String(pod['name']))
      if (live === undefined || live.metadata.uid !== pod['uid'])
        return { ok: false, why: `pod ${String(pod['name'])} has been deleted` }
      extra['authentication.kubernetes.io/pod-name'] = [String(pod['name'])]
      extra['authentication.kubernetes.io/pod-uid'] = [String(pod['uid'])]
    }
    const node = at(bound, 'node')
    if (isObject(node)) {
      extra['authentication.kubernetes.io/node-name'] = [String(node['name'])]
      extra['authentication.kubernetes.io/node-uid'] = [String(node['uid'])]
    }
    const jti = at(claims, 'jti')
    if (typeof jti === 'string') extra['authentication.kubernetes.io/credential-id'] = [`JTI=${jti}`]
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
    const user = { username: `system:serviceaccount:${namespace}:${name}`, uid: account.metadata.uid, groups, extra }
    return { ok: true, user, audiences }
  }
}

function parse(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}
