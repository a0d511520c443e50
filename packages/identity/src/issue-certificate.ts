import { createHash, type KeyObject, randomBytes } from 'node:crypto'
import { certificateExtension } from './certificate-fields.ts'
import type { Asn1 } from './der-builder.ts'
import {
  bitString,
  boolean,
  context,
  contextPrimitive,
  encode,
  existing,
  integer,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8String,
} from './der-builder.ts'
import { contextTag, readBitString, readChildren, readDer, TAG } from './der-reader.ts'
import { der, derTime } from './der-writer.ts'
import { CaMaterialError } from './errors.ts'
import { OID } from './oids.ts'
import {
  algorithmIdentifier,
  algorithmOfKey,
  type SignatureAlgorithm,
  signBytes,
  signBytesInPool,
} from './signature-algorithm.ts'
import type { SubjectName } from './subject-alt-name.ts'

export interface Validity {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Who signs: the subject of the issuing certificate as it stands there, and its key. */
export interface Issuer {
  readonly key: KeyObject
  readonly nameDer: Uint8Array
  /** Its subject key identifier; chain builders compare it with the leaf's authority key identifier. */
  readonly keyId: Uint8Array | undefined
}

const SERIAL_BYTES = 16
/** KeyUsage bits, RFC 5280 §4.2.1.3, as the octet and the count of unused bits. */
const LEAF_KEY_USAGE = { octet: 0xa0, unusedBits: 5 } // digitalSignature, keyEncipherment
const CA_KEY_USAGE = { octet: 0x06, unusedBits: 1 } // keyCertSign, cRLSign

/** What a leaf is issued for. */
export interface LeafRequest {
  /** SubjectPublicKeyInfo, in DER. */
  readonly spki: Uint8Array
  readonly names: readonly SubjectName[]
  readonly validity: Validity
}

/** A leaf for a server and client of the mesh, in Istio's profile. Returns DER. */
export function issueLeaf(issuer: Issuer, leaf: LeafRequest): Buffer {
  const constants = constantsOf(issuer)
  const tbs = leafToBeSigned(issuer, constants, leaf)
  return signed(tbs, constants, signBytes(constants.algorithm, issuer.key, tbs))
}

/** The same, signed by a thread of the pool: an RSA signature takes as long as a hundred requests without. */
export async function issueLeafInPool(issuer: Issuer, leaf: LeafRequest): Promise<Buffer> {
  const constants = constantsOf(issuer)
  const tbs = leafToBeSigned(issuer, constants, leaf)
  return signed(tbs, constants, await signBytesInPool(constants.algorithm, issuer.key, tbs))
}

/** DER that all leaves of an issuer have in common. */
interface LeafConstants {
  readonly algorithm: SignatureAlgorithm
  readonly algorithmDer: Buffer
  /** All extensions but the names. */
  readonly extensions: Buffer
}

const CONSTANTS = new WeakMap<Issuer, LeafConstants>()
const VERSION_3 = encode(context(0, integer(Uint8Array.of(2))))
const EMPTY_SUBJECT = encode(sequence())
const CRITICAL_SUBJECT_ALT_NAME = Buffer.concat([encode(oid(OID.subjectAltName)), encode(boolean(true))])
const NAME_TAGS = { dns: 0x82, uri: 0x86, ip: 0x87 } as const
const NO_UNUSED_BITS = Uint8Array.of(0)

function constantsOf(issuer: Issuer): LeafConstants {
  return CONSTANTS.getOrInsertComputed(issuer, () => {
    const algorithm = supported(issuer.key)
    const extensions = [
      keyUsage(LEAF_KEY_USAGE),
      extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
      extension(OID.basicConstraints, true, sequence()),
      ...authorityKeyId(issuer),
    ]
    return {
      algorithm,
      algorithmDer: encode(algorithmIdentifier(algorithm)),
      extensions: Buffer.concat(extensions.map(encode)),
    }
  })
}

function leafToBeSigned(issuer: Issuer, { algorithmDer, extensions }: LeafConstants, leaf: LeafRequest): Buffer {
  const names = leaf.names.map(({ kind, value }) =>
    der(NAME_TAGS[kind], typeof value === 'string' ? Buffer.from(value, 'latin1') : value),
  )
  return der(
    TAG.sequence,
    VERSION_3,
    der(TAG.integer, randomSerial()),
    algorithmDer,
    issuer.nameDer,
    der(TAG.sequence, derTime(leaf.validity.notBeforeMs), derTime(leaf.validity.notAfterMs)),
    EMPTY_SUBJECT,
    leaf.spki,
    der(
      contextTag(3),
      der(
        TAG.sequence,
        extensions,
        // RFC 5280 §4.1.2.6: with an empty subject the alternative name is critical.
        der(TAG.sequence, CRITICAL_SUBJECT_ALT_NAME, der(TAG.octetString, der(TAG.sequence, ...names))),
      ),
    ),
  )
}

function signed(tbs: Uint8Array, { algorithmDer }: LeafConstants, signature: Uint8Array): Buffer {
  return der(TAG.sequence, tbs, algorithmDer, der(TAG.bitString, NO_UNUSED_BITS, signature))
}

/** A CA certificate: self-signed when the issuer's key is also the subject's. Returns DER. */
export function issueCa(issuer: Issuer, ca: { publicKey: KeyObject; nameDer: Uint8Array; validity: Validity }): Buffer {
  return sign(issuer, {
    subject: existing(ca.nameDer),
    publicKey: ca.publicKey,
    validity: ca.validity,
    extensions: [
      keyUsage(CA_KEY_USAGE),
      extension(OID.basicConstraints, true, sequence(boolean(true))),
      extension(OID.subjectKeyIdentifier, false, octetString(keyIdOf(ca.publicKey))),
      ...authorityKeyId(issuer),
    ],
  })
}

/** DER of the distinguished name `O=organization`. */
export function organizationName(organization: string): Buffer {
  return encode(sequence(set(sequence(oid(OID.organization), utf8String(organization)))))
}

/** Subject key identifier of a CA of our own, RFC 7093 §2 method 1: 160 bits of the SHA-256 of the key's bit string. */
export function keyIdOf(key: KeyObject): Buffer {
  const spki = readDer(key.export({ type: 'spki', format: 'der' }), TAG.sequence)
  const bits = readBitString(spki && readChildren(spki, 2)?.[1]) ?? Buffer.alloc(0)
  return createHash('sha256').update(bits).digest().subarray(0, 20)
}

/** The identifier in a certificate's own extension, if it has one. */
export function subjectKeyIdOf(certificate: Uint8Array): Uint8Array | undefined {
  const content = certificateExtension(certificate, OID.subjectKeyIdentifier)
  return content && readDer(content, TAG.octetString)?.content
}

interface ToBeSigned {
  readonly subject: Asn1
  readonly publicKey: KeyObject
  readonly validity: Validity
  readonly extensions: readonly Asn1[]
}

function sign(issuer: Issuer, fields: ToBeSigned): Buffer {
  const algorithm = supported(issuer.key)
  const tbs = sequence(
    context(0, integer(Uint8Array.of(2))),
    integer(randomSerial()),
    algorithmIdentifier(algorithm),
    existing(issuer.nameDer),
    sequence(time(fields.validity.notBeforeMs), time(fields.validity.notAfterMs)),
    fields.subject,
    existing(fields.publicKey.export({ type: 'spki', format: 'der' })),
    context(3, sequence(...fields.extensions)),
  )
  return encode(sequence(tbs, algorithmIdentifier(algorithm), bitString(signBytes(algorithm, issuer.key, encode(tbs)))))
}

function supported(key: KeyObject): SignatureAlgorithm {
  const algorithm = algorithmOfKey(key)
  if (algorithm === undefined) throw new CaMaterialError(`a CA key of type ${key.asymmetricKeyType} is not supported`)
  return algorithm
}

/** Positive, in its shortest form: the first octet is 0x40 to 0x7f. */
function randomSerial(): Uint8Array {
  const serial = randomBytes(SERIAL_BYTES)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  return serial
}

function extension(identifier: string, critical: boolean, value: Asn1): Asn1 {
  const body = octetString(encode(value))
  return critical ? sequence(oid(identifier), boolean(true), body) : sequence(oid(identifier), body)
}

function keyUsage(usage: { octet: number; unusedBits: number }): Asn1 {
  return extension(OID.keyUsage, true, bitString(Uint8Array.of(usage.octet), usage.unusedBits))
}

function authorityKeyId(issuer: Issuer): readonly Asn1[] {
  if (issuer.keyId === undefined) return []
  return [extension(OID.authorityKeyIdentifier, false, sequence(contextPrimitive(0, issuer.keyId)))]
}
