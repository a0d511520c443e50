import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { formatSpiffeId, type SpiffeId } from '@ambit/core'
import { findExtension } from './certificate-fields.ts'
import {
  bitString,
  boolean,
  context,
  encode,
  existing,
  integer,
  octetString,
  oid,
  sequence,
  set,
} from './der-builder.ts'
import { contextTag, type DerValue, readBitString, readChildren, readDer, readOid, TAG } from './der-reader.ts'
import { MAX_CSR_ATTRIBUTES, MAX_CSR_PEM_BYTES, MAX_RSA_BITS, MIN_RSA_BITS } from './limits.ts'
import { OID } from './oids.ts'
import { onlyPemBlock, toPem } from './pem.ts'
import {
  algorithmIdentifier,
  algorithmOfKey,
  signatureAlgorithm,
  signBytes,
  verifyBytes,
} from './signature-algorithm.ts'
import { generalNames, uriNamesOfExtension } from './subject-alt-name.ts'

const LABEL = 'CERTIFICATE REQUEST'
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

export interface NewCsr {
  readonly privateKey: KeyObject
  readonly csrPem: string
}

/** A new P-256 key and a PKCS#10 request for it: empty subject, the identity as a critical subject alternative name (Istio). */
export function createCsr(identity: SpiffeId): NewCsr {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const names = encode(generalNames([{ kind: 'uri', value: formatSpiffeId(identity) }]))
  const extensions = sequence(sequence(oid(OID.subjectAltName), boolean(true), octetString(names)))
  const info = sequence(
    integer(Uint8Array.of(0)),
    sequence(),
    existing(publicKey.export({ type: 'spki', format: 'der' })),
    context(0, sequence(oid(OID.extensionRequest), set(extensions))),
  )
  const algorithm = algorithmOfKey(privateKey)
  if (algorithm === undefined) throw new TypeError('a P-256 key has a signature algorithm')
  const signature = signBytes(algorithm, privateKey, encode(info))
  const der = encode(sequence(info, algorithmIdentifier(algorithm), bitString(signature)))
  return { privateKey, csrPem: toPem(LABEL, der) }
}

/** What a signer may use of a request. The names are shown for diagnosis only: who is certified is not the requester's say. */
export type CsrVerdict =
  | {
      readonly accepted: true
      readonly publicKey: KeyObject
      /** The key as certificates have it, in DER. */
      readonly spki: Uint8Array
      readonly uris: readonly string[]
    }
  | { readonly accepted: false; readonly reason: string }

/** Reads a request and checks its proof of possession. */
export function readCsr(csrPem: string): CsrVerdict {
  if (csrPem.length > MAX_CSR_PEM_BYTES) return refused(`the request is larger than ${MAX_CSR_PEM_BYTES} bytes`)
  const der = onlyPemBlock(csrPem, LABEL)
  if (der === undefined) return refused(`expected one PEM block "${LABEL}"`)
  const outer = readDer(der, TAG.sequence)
  const [info, algorithm, signature, ...extra] = (outer && readChildren(outer, 3)) ?? []
  const signatureBytes = readBitString(signature)
  if (
    info?.tag !== TAG.sequence ||
    algorithm?.tag !== TAG.sequence ||
    signatureBytes === undefined ||
    extra.length > 0
  ) {
    return refused('not a PKCS#10 certification request')
  }
  // RFC 2986 §4.1: version, subject, subjectPKInfo, [0] attributes.
  const [version, subject, spki, attributes] = readChildren(info, 4) ?? []
  if (version?.tag !== TAG.integer || version.content.length !== 1 || version.content[0] !== 0)
    return refused('not version 1 of PKCS#10')
  if (subject?.tag !== TAG.sequence || spki?.tag !== TAG.sequence) return refused('subject or public key is missing')
  if (attributes !== undefined && attributes.tag !== contextTag(0))
    return refused('unexpected field after the public key')
  const publicKey = readPublicKey(spki)
  if (publicKey === undefined)
    return refused('unsupported public key: ECDSA P-256, P-384, P-521, Ed25519 or RSA 2048 to 8192 bits are accepted')
  const identifier = readOid(readChildren(algorithm, 2)?.[0])
  const known = identifier === undefined ? undefined : signatureAlgorithm(identifier)
  if (known === undefined || known.keyType !== publicKey.asymmetricKeyType) {
    return refused(`unsupported signature algorithm ${identifier ?? ''}`.trimEnd())
  }
  if (!proves(() => verifyBytes(known, publicKey, info.whole, signatureBytes))) {
    return refused('the signature does not prove possession of the private key')
  }
  return {
    accepted: true,
    publicKey,
    spki: spkiOf(spki.whole, publicKey),
    uris: attributes === undefined ? [] : requestedUris(attributes),
  }
}

function refused(reason: string): CsrVerdict {
  return { accepted: false, reason }
}

function readPublicKey(spki: DerValue): KeyObject | undefined {
  let key: KeyObject
  try {
    key = createPublicKey({ key: Buffer.from(spki.whole), format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'ed25519') return key
  if (key.asymmetricKeyType === 'ec') return CURVES.has(namedCurve) ? key : undefined
  if (key.asymmetricKeyType !== 'rsa') return undefined
  return modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS ? key : undefined
}

/** SubjectPublicKeyInfo of a point on P-256, uncompressed, up to its coordinates. */
const P256_POINT = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')
const P256_SPKI_BYTES = P256_POINT.length + 64

/** What OpenSSL writes of the key it read; the usual form has only one spelling and need not be written again. */
function spkiOf(read: Uint8Array, key: KeyObject): Uint8Array {
  return read.length === P256_SPKI_BYTES && P256_POINT.compare(read, 0, P256_POINT.length) === 0
    ? read
    : key.export({ type: 'spki', format: 'der' })
}

function proves(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    // OpenSSL throws on signatures that it cannot even decode.
    return false
  }
}

function requestedUris(attributes: DerValue): readonly string[] {
  return (readChildren(attributes, MAX_CSR_ATTRIBUTES) ?? []).flatMap((attribute) => {
    const [type, values] = readChildren(attribute, 2) ?? []
    if (readOid(type) !== OID.extensionRequest || values?.tag !== TAG.set) return []
    const extensions = readDer(values.content, TAG.sequence)
    return extensions === undefined ? [] : uriNamesOfExtension(findExtension(extensions, OID.subjectAltName))
  })
}
