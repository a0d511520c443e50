import { contextTag, type DerValue, readChildren, readDer, readOid, TAG } from './der-reader.ts'
import { MAX_CERTIFICATE_BYTES, MAX_EXTENSIONS } from './limits.ts'

/** TBSCertificate has 10 fields at most (RFC 5280 §4.1). */
const MAX_TBS_FIELDS = 10
const VERSION_TAG = contextTag(0)
const EXTENSIONS_TAG = contextTag(3)

/** DER of a certificate's subject as it stands there: an issuer name must match it octet by octet. */
export function subjectNameDer(certificate: Uint8Array): Uint8Array | undefined {
  const fields = tbsFields(certificate)
  // [0] version, serial, signature, issuer, validity, subject; version 1 certificates leave the first out.
  const subject = fields[fields[0]?.tag === VERSION_TAG ? 5 : 4]
  return subject?.tag === TAG.sequence ? subject.whole : undefined
}

/** Content of one extension of a DER certificate; see {@link findExtension}. */
export function certificateExtension(certificate: Uint8Array, oid: string): Uint8Array | undefined {
  const explicit = tbsFields(certificate).find((field) => field.tag === EXTENSIONS_TAG)
  const extensions = explicit && readDer(explicit.content, TAG.sequence)
  return extensions && findExtension(extensions, oid)
}

/** Content of the extension in an `Extensions` value; undefined if it occurs twice, which RFC 5280 §4.2 forbids. */
export function findExtension(extensions: DerValue, oid: string): Uint8Array | undefined {
  const found = (readChildren(extensions, MAX_EXTENSIONS) ?? []).flatMap((extension) => {
    const parts = readChildren(extension, 3) ?? []
    return readOid(parts[0]) === oid ? [parts.at(-1)] : []
  })
  const [value] = found
  return found.length === 1 && value?.tag === TAG.octetString ? value.content : undefined
}

function tbsFields(certificate: Uint8Array): readonly DerValue[] {
  if (certificate.length > MAX_CERTIFICATE_BYTES) return []
  const outer = readDer(certificate, TAG.sequence)
  const tbs = outer && readChildren(outer, 3)?.[0]
  return (tbs?.tag === TAG.sequence ? readChildren(tbs, MAX_TBS_FIELDS) : undefined) ?? []
}
