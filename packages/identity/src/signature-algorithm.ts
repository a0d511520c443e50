import { type KeyObject, sign, verify } from 'node:crypto'
import type { Asn1 } from './der-builder.ts'
import { nothing, oid, sequence } from './der-builder.ts'

/** How one kind of key signs: RFC 5758 (ECDSA), RFC 8017 (RSA PKCS#1 v1.5), RFC 8410 (Ed25519). */
export interface SignatureAlgorithm {
  readonly oid: string
  readonly keyType: 'ec' | 'rsa' | 'ed25519'
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
}

const ECDSA_SHA256: SignatureAlgorithm = { oid: '1.2.840.10045.4.3.2', keyType: 'ec', hash: 'sha256' }
const ECDSA_SHA384: SignatureAlgorithm = { oid: '1.2.840.10045.4.3.3', keyType: 'ec', hash: 'sha384' }
const ECDSA_SHA512: SignatureAlgorithm = { oid: '1.2.840.10045.4.3.4', keyType: 'ec', hash: 'sha512' }
const RSA_SHA256: SignatureAlgorithm = { oid: '1.2.840.113549.1.1.11', keyType: 'rsa', hash: 'sha256' }
const RSA_SHA384: SignatureAlgorithm = { oid: '1.2.840.113549.1.1.12', keyType: 'rsa', hash: 'sha384' }
const RSA_SHA512: SignatureAlgorithm = { oid: '1.2.840.113549.1.1.13', keyType: 'rsa', hash: 'sha512' }
const ED25519: SignatureAlgorithm = { oid: '1.3.101.112', keyType: 'ed25519', hash: null }

const ACCEPTED: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  [ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, RSA_SHA256, RSA_SHA384, RSA_SHA512, ED25519].map((a) => [a.oid, a]),
)

/** The algorithm behind an identifier found in a request; undefined when we do not accept it (SHA-1, MD5, PSS). */
export function signatureAlgorithm(identifier: string): SignatureAlgorithm | undefined {
  return ACCEPTED.get(identifier)
}

/** What a key of our own signs with; undefined for kinds that are not supported. */
export function algorithmOfKey(key: KeyObject): SignatureAlgorithm | undefined {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? ECDSA_SHA384 : ECDSA_SHA256
    case 'rsa':
      return RSA_SHA256
    case 'ed25519':
      return ED25519
    default:
      return undefined
  }
}

export function algorithmIdentifier(algorithm: SignatureAlgorithm): Asn1 {
  // RFC 4055 §5: RSA has a NULL parameter; RFC 5758 §3.2 and RFC 8410 §3: the others have none.
  return algorithm.keyType === 'rsa' ? sequence(oid(algorithm.oid), nothing()) : sequence(oid(algorithm.oid))
}

export function signBytes(algorithm: SignatureAlgorithm, key: KeyObject, bytes: Uint8Array): Buffer {
  return sign(algorithm.hash, bytes, { key, dsaEncoding: 'der' })
}

/** Signs in a thread of the pool. */
export function signBytesInPool(algorithm: SignatureAlgorithm, key: KeyObject, bytes: Uint8Array): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  sign(algorithm.hash, bytes, { key, dsaEncoding: 'der' }, (error, signature) =>
    error === null ? resolve(signature) : reject(error),
  )
  return promise
}

export function verifyBytes(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verify(algorithm.hash, bytes, { key, dsaEncoding: 'der' }, signature)
}
