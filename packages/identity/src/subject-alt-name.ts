import type { X509Certificate } from 'node:crypto'
import { parseSpiffeId, type SpiffeId } from '@ambit/core'
import { certificateExtension } from './certificate-fields.ts'
import type { Asn1 } from './der-builder.ts'
import { contextPrimitive, sequence } from './der-builder.ts'
import { readChildren, readDer, TAG } from './der-reader.ts'
import { MAX_SUBJECT_ALT_NAMES } from './limits.ts'
import { OID } from './oids.ts'

/** One name of a certificate to issue. */
export type SubjectName =
  | { readonly kind: 'uri' | 'dns'; readonly value: string }
  | { readonly kind: 'ip'; readonly value: Uint8Array }

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/

/**
 * The workload identity a certificate carries: the first URI name that is one (Istio skips the others).
 * Read from the extension's DER, because the textual form of `X509Certificate.subjectAltName` joins names with commas
 * that may also stand inside of a name.
 */
export function identityOfCertificate(certificate: X509Certificate): SpiffeId | undefined {
  for (const uri of uriNames(certificate.raw)) {
    const identity = parseSpiffeId(uri)
    if (identity !== undefined) return identity
  }
  return undefined
}

/** Every workload identity a certificate carries, for the client's check "at least one is expected" (data plane §1.2). */
export function identitiesOfCertificate(certificate: X509Certificate): readonly SpiffeId[] {
  return uriNames(certificate.raw).flatMap((uri) => parseSpiffeId(uri) ?? [])
}

/** URI names of a DER certificate in order; none when the certificate or the extension is malformed. */
export function uriNames(certificate: Uint8Array): readonly string[] {
  return uriNamesOfExtension(certificateExtension(certificate, OID.subjectAltName))
}

/** URI names in the content of a subject alternative name extension. */
export function uriNamesOfExtension(content: Uint8Array | undefined): readonly string[] {
  const names = content && readDer(content, TAG.sequence)
  const children = names && readChildren(names, MAX_SUBJECT_ALT_NAMES)
  return (children ?? []).flatMap((name) => {
    if (name.tag !== TAG.uri) return []
    const text = Buffer.from(name.content).toString('latin1')
    return PRINTABLE_ASCII.test(text) ? [text] : []
  })
}

/** GeneralNames (RFC 5280 §4.2.1.6) of a certificate or request to write. */
export function generalNames(names: readonly SubjectName[]): Asn1 {
  const tags = { dns: 2, uri: 6, ip: 7 } as const
  return sequence(
    ...names.map(({ kind, value }) =>
      contextPrimitive(tags[kind], typeof value === 'string' ? Buffer.from(value, 'latin1') : value),
    ),
  )
}
