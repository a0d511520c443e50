import type { X509Certificate } from 'node:crypto'
import { formatSpiffeId, type SpiffeId, sameSpiffeId } from '@ambit/core'
import { identitiesOfCertificate, identityOfCertificate } from '@ambit/identity'

/** Longest chain that is walked for showing; the TLS stack has verified it by then. */
const MAX_CHAIN_LENGTH = 10

export type PeerVerdict<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

/** What the server demands of a client whose chain is verified: an identity of its own trust domain (data plane §1.2). */
export function verifyClient(leaf: X509Certificate, ownTrustDomain: string): PeerVerdict<SpiffeId> {
  const identity = identityOfCertificate(leaf)
  if (identity === undefined) return { ok: false, reason: 'the client certificate carries no workload identity' }
  if (!identitiesOfCertificate(leaf).some((id) => id.trustDomain === ownTrustDomain)) {
    return { ok: false, reason: `the client is of trust domain ${identity.trustDomain}, not ${ownTrustDomain}` }
  }
  return { ok: true, value: identity }
}

/** What the client demands of a server whose chain is verified: one of the expected identities, all three parts equal. */
export function verifyServer(leaf: X509Certificate, expected: readonly SpiffeId[]): PeerVerdict<SpiffeId> {
  const offered = identitiesOfCertificate(leaf)
  const match = offered.find((id) => expected.some((other) => sameSpiffeId(id, other)))
  if (match !== undefined) return { ok: true, value: match }
  return { ok: false, reason: `identity mismatch: the server is ${list(offered)}, expected ${list(expected)}` }
}

/** Leaf first, followed through its issuers. */
export function certificateChain(leaf: X509Certificate): readonly X509Certificate[] {
  const chain = [leaf]
  let current = leaf
  while (chain.length < MAX_CHAIN_LENGTH) {
    const issuer = current.issuerCertificate
    if (issuer === undefined || issuer.fingerprint256 === current.fingerprint256) break
    chain.push(issuer)
    current = issuer
  }
  return chain
}

function list(ids: readonly SpiffeId[]): string {
  const [first, ...more] = ids
  if (first === undefined) return 'nobody'
  return more.length === 0 ? formatSpiffeId(first) : `${formatSpiffeId(first)} or ${more.length} more`
}
