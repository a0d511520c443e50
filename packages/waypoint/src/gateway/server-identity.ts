import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { Credential, CredentialStore, TlsTermination } from '@ambit/state'

/** A certificate and its key, checked to be a pair. */
export interface ServerIdentity {
  readonly credential: string
  readonly certificate: X509Certificate
  readonly chainPem: string
  readonly keyPem: string
}

export type ServerIdentities =
  | { readonly ok: true; readonly identities: readonly ServerIdentity[]; readonly caPem: readonly string[] }
  | { readonly ok: false; readonly reason: string }

/** What a listener needs to take part in handshakes. Credentials that can't be used are left out while others can. */
export function serverIdentities(tls: TlsTermination, store: Pick<CredentialStore, 'get'>): ServerIdentities {
  const problems: string[] = []
  const identities = tls.credentials.flatMap((name) => {
    const identity = identityOf(name, store.get(name))
    if (typeof identity !== 'string') return [identity]
    problems.push(identity)
    return []
  })
  if (identities.length === 0) return { ok: false, reason: problems.join('; ') }
  const caPem: string[] = []
  for (const name of tls.clientAuthorities) {
    const pem = store.get(name)?.caPem ?? ''
    // Node would trust the machine's public roots where there are none.
    if (!isCertificate(pem)) return { ok: false, reason: `${name} has no CA certificate for clients` }
    caPem.push(pem)
  }
  return { ok: true, identities, caPem }
}

/** The first that names the host, else the first. */
export function identityFor(identities: readonly ServerIdentity[], host: string): ServerIdentity | undefined {
  return identities.find(({ certificate }) => certificate.checkHost(host) !== undefined) ?? identities[0]
}

export function contextOptions(
  { chainPem, keyPem }: ServerIdentity,
  { minVersion, maxVersion }: TlsTermination,
  caPem: readonly string[],
): SecureContextOptions {
  return { cert: chainPem, key: keyPem, ...(caPem.length > 0 && { ca: [...caPem] }), minVersion, maxVersion }
}

function identityOf(name: string, credential: Credential | undefined): ServerIdentity | string {
  if (credential === undefined) return `${name} has not been received`
  const { certificateChainPem: chainPem, privateKeyPem: keyPem } = credential
  try {
    const identity = { credential: name, certificate: new X509Certificate(chainPem), chainPem, keyPem }
    // Refuses what is no key, and one of another certificate.
    createSecureContext({ cert: chainPem, key: keyPem })
    return identity
  } catch {
    // What OpenSSL says of a key stays here.
    return `${name} holds no certificate with its private key`
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}
